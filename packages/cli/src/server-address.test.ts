import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findServer, mosquittoAddress } from './server-address.ts';

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'selsyn-address-'));
});

afterEach(() => rmSync(data, { recursive: true, force: true }));

function serverRuns(): void {
  writeFileSync(join(data, 'admin.key'), 'sk_of_the_folder\n');
  writeFileSync(join(data, 'run.json'), JSON.stringify({ pid: 1, http: 'http://127.0.0.1:8099', mqtt: 'mqtt://127.0.0.1:1899' }));
}

test('the server that runs on the data folder is found by its run file and its key', () => {
  serverRuns();
  expect(findServer({ data }, {})).toEqual({
    url: 'http://127.0.0.1:8099',
    key: 'sk_of_the_folder',
    keyFrom: join(data, 'admin.key'),
    mqttUrl: 'mqtt://127.0.0.1:1899',
    mqttsUrl: 'mqtts://127.0.0.1:8883',
  });
  expect(findServer({}, { SELSYN_DATA: data }).url).toBe('http://127.0.0.1:8099');
});

test('the environment goes before the folder, and options before the environment', () => {
  serverRuns();
  const environment = { SELSYN_URL: 'http://a:1/', SELSYN_KEY: 'key-a' };
  expect(findServer({ data }, environment)).toMatchObject({ url: 'http://a:1', key: 'key-a', keyFrom: 'SELSYN_KEY' });
  expect(findServer({ data, url: 'https://b//', key: 'key-b' }, environment)).toMatchObject({
    url: 'https://b',
    key: 'key-b',
    keyFrom: '--key',
  });
});

test('MQTT of another server is not looked for where the one of the folder has it; the names of loopback are one host', () => {
  serverRuns();
  const mqttOf = (url: string): string => findServer({ data, key: 'k', url }, {}).mqttUrl;
  expect(mqttOf('https://b.example')).toBe('mqtt://b.example:1883');
  expect(mqttOf('http://127.0.0.1:8080')).toBe('mqtt://127.0.0.1:1883');
  expect(mqttOf('http://localhost:8099')).toBe('mqtt://127.0.0.1:1899');
});

test('mosquitto is given an IPv6 address without brackets, and the port always', () => {
  expect(mosquittoAddress('mqtt://[::1]:1884')).toBe('-h ::1 -p 1884');
  expect(mosquittoAddress('mqtt://broker.example')).toBe('-h broker.example -p 1883');
});

test('a folder on which nothing runs has the default addresses; a broken run file is as none', () => {
  writeFileSync(join(data, 'admin.key'), 'k');
  writeFileSync(join(data, 'run.json'), '{"http":');
  expect(findServer({ data }, {})).toMatchObject({ url: 'http://127.0.0.1:8080', mqttUrl: 'mqtt://127.0.0.1:1883' });
});

test('without a key, or with what is no URL, it says what to do', () => {
  expect(() => findServer({ data }, {})).toThrow(/there is no .*admin\.key; start the server .* or set SELSYN_KEY/);
  expect(() => findServer({ data, key: 'k', url: 'nonsense' }, {})).toThrow('"nonsense" is no URL of a server');
  expect(() => findServer({ data, key: 'k', url: 'ftp://a' }, {})).toThrow('is no URL of a server');
});
