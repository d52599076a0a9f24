import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { exportToFile } from './export-file.ts';

let folder: string;
let server: Server;
let answer: (response: ServerResponse) => void;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-export-'));
  server = createServer((_, response) => answer(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function exported(notes: string[] = [], name = 'out.csv'): Promise<number | undefined> {
  return await exportToFile({
    server: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: 'k' },
    query: { format: 'csv' },
    path: join(folder, name),
    view: { update: () => undefined, stop: () => undefined },
    note: (text) => notes.push(text),
    wait: async () => await Promise.resolve(),
  });
}

test('an export that is refused leaves no file behind', async () => {
  answer = (response) => response.writeHead(400).end('{"detail":"no such filter","code":"request.invalid"}');
  await expect(exported()).rejects.toThrow(CliError);
  expect(readdirSync(folder)).toEqual([]);
});

test('an export into a folder that is not there says so in one line', async () => {
  const path = join(folder, 'nowhere', 'out.csv');
  const failure: unknown = await exported([], join('nowhere', 'out.csv')).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CliError);
  expect((failure as CliError).message).toContain(`${path} cannot be written: ENOENT`);
});

test('an export of no device says so', async () => {
  answer = (response) => response.writeHead(200, { 'selsyn-devices': '0' }).end('device,metric,time,value,text,flag\n');
  const notes: string[] = [];
  expect(await exported(notes)).toBe(0);
  expect(notes).toEqual(['there is no such device: the file is empty']);
  expect(readdirSync(folder)).toEqual(['out.csv']);
});

test('an export that breaks off goes on behind its last row', async () => {
  const asked: unknown[] = [];
  const [first, second] = ['a,m,1970-01-01T00:00:00.001Z,1,,\n', 'a,m,1970-01-01T00:00:00.002Z,1,,\n'];
  answer = (response) => {
    asked.push(new URL(response.req.url!, 'http://localhost').searchParams.get('after'));
    response.writeHead(200, { 'selsyn-devices': '1' });
    if (asked.length > 1) {
      response.end(second);
      return;
    }
    response.write(`device,metric,time,value,text,flag\n${first}a,m`);
    // Once the client has it.
    const part = join(folder, 'out.csv.part');
    const timer = setInterval(() => {
      if (!existsSync(part) || !readFileSync(part, 'utf8').includes(first)) return;
      clearInterval(timer);
      response.destroy();
    }, 1);
  };
  expect(await exported()).toBe(2);
  expect(asked).toEqual([null, '["a","m",1]']);
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe(`device,metric,time,value,text,flag\n${first}${second}`);
});
