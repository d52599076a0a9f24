import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';

const run = promisify(execFile);
const mosquittoPub = findProgram('mosquitto_pub');
const browserPath = findProgram('chromium');

describe('the first steps of a new user', () => {
  let selsyn: Selsyn;
  let token = '';

  beforeAll(async () => {
    selsyn = await Selsyn.start();
    const added = await selsyn.cli('device', 'add', 'sensor123', '--json');
    expect(added.stderr).toBe('');
    token = (JSON.parse(added.stdout) as { token: string }).token;
  });
  afterAll(async () => await selsyn[Symbol.asyncDispose]());

  const publish = async (payload: string, { password = token, topic = 'telemetry/sensor123', version = '311' } = {}) => {
    const port = String(selsyn.mqttPort);
    const who = ['-i', 'sensor123', '-u', 'sensor123', '-P', password];
    const what = ['-q', '1', '-t', topic, '-m', payload];
    await run(mosquittoPub ?? '', ['-V', version, '-h', '127.0.0.1', '-p', port, ...who, ...what]);
  };

  it('the start says where everything is, with paths that can be copied', () => {
    expect(selsyn.said).toContain(` is running on ${selsyn.data}\n`);
    expect(selsyn.said).toContain(`(clients trust ${selsyn.caFile})\n`);
    expect(selsyn.said).toContain(`npx selsyn --data ${selsyn.data} query sensor123 --last 1h\n`);
  });

  it.skipIf(mosquittoPub === undefined)('a point from mosquitto_pub is in the API and in `selsyn query`', async () => {
    await publish('{"temperature":23.5}');
    const points = await eventually(async () => {
      const answer = await selsyn.get<{ temperature?: [number, number][] }>(
        '/api/v1/devices/sensor123/telemetry?metrics=temperature',
      );
      return answer.temperature?.length === 1 ? answer.temperature : undefined;
    });
    expect(points[0]?.[1]).toBe(23.5);
    expect(Math.abs(Date.now() - (points[0]?.[0] ?? 0))).toBeLessThan(60_000);

    const table = await selsyn.cli('query', 'sensor123', '--metric', 'temperature', '--last', '1h');
    expect(table.stdout).toMatch(/time\s+temperature\n.*\n\d{4}-\d\d-\d\dT.*\s23\.5\n/);
    const json = await selsyn.cli('query', 'sensor123', '--metric', 'temperature', '--last', '1h', '--every', '1m', '--json');
    expect(JSON.parse(json.stdout)).toEqual({ temperature: [[expect.any(Number), 23.5]] });
    expect((await selsyn.cli('device', 'show', 'sensor123')).stdout).toContain('23.5');
    expect((await selsyn.cli('device', 'list')).stdout).toContain('temperature=23.5');
  });

  it.skipIf(mosquittoPub === undefined)('a device can publish neither with a wrong token nor as another device', async () => {
    await expect(publish('{}', { password: 'wrong' })).rejects.toThrow(/refused|authori/i);
    await selsyn.addDevice('other');
    await publish('{"stolen":1}', { topic: 'telemetry/other', version: '5' }).catch(() => undefined);
    expect(await selsyn.get('/api/v1/devices/other/telemetry/latest')).toEqual({});
  });

  it.skipIf(mosquittoPub === undefined || browserPath === undefined)(
    'the page shows the device, and a new point arrives on it without a reload',
    async () => {
      const args = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ];
      const browser = await chromium.launch({ executablePath: browserPath ?? '', args });
      try {
        const page = await browser.newPage();
        const faults: string[] = [];
        page.on('pageerror', (error) => faults.push(error.message));
        page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
        await page.goto(`${selsyn.url}/#key=${ADMIN_KEY}`);
        await page.getByText('sensor123').first().waitFor();
        expect(page.url()).not.toContain(ADMIN_KEY);
        await publish('{"temperature":31.25}');
        await page.getByText('31.25').first().waitFor();
        await page.getByText('sensor123').first().click();
        await page.locator('canvas').first().waitFor();
        await publish('{"temperature":42.75}');
        await page.getByText('42.75').first().waitFor();
        expect(faults).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );

  it('Ctrl-C stops it cleanly, and what was stored is there at the next start', async () => {
    const before = await selsyn.get('/api/v1/devices/sensor123/telemetry');
    expect(await selsyn.end('SIGINT')).toBe(0);
    await selsyn.restart();
    expect(await selsyn.get('/api/v1/devices/sensor123/telemetry')).toEqual(before);
  });
});
