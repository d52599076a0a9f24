import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { HttpError, InfluxDB, Point, setLogger } from '@influxdata/influxdb-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';

let selsyn: Selsyn;
beforeAll(async () => {
  selsyn = await Selsyn.start({ settings: ['gateway.threads=2'] });
});
afterAll(async () => {
  await selsyn[Symbol.asyncDispose]();
});

type Series = Readonly<Record<string, readonly (readonly [number, unknown])[]>>;

/** The telemetry of a device once it has so many points. */
async function stored(device: string, points: number): Promise<Series> {
  return await eventually(async () => {
    const series = await selsyn.get<Series>(`/api/v1/devices/${device}/telemetry`).catch(() => ({}));
    return Object.values(series).flat().length >= points ? series : undefined;
  });
}

const T0 = Date.UTC(2026, 10, 1);

describe('programs that write to InfluxDB', () => {
  test("InfluxData's client writes unchanged, and hears of lines that are none", async () => {
    const influx = new InfluxDB({ url: selsyn.url, token: ADMIN_KEY });
    const api = influx.getWriteApi('my-org', 'my-bucket', 'ms', { gzipThreshold: 100, maxRetries: 0 });
    for (let n = 0; n < 5; n += 1) {
      api.writePoint(
        new Point('weather')
          .tag('device', `station-${n % 2}`)
          .tag('city', 'Graz, AT')
          .floatField('t', 20.5 + n)
          .intField('n', n)
          .stringField('sky', 'a "blue" one')
          .booleanField('ok', true)
          .timestamp(T0 + n),
      );
    }
    await api.close();
    const series = await stored('station-0', 12);
    expect(series['weather.t;city=Graz, AT']).toEqual([
      [T0, 20.5],
      [T0 + 2, 22.5],
      [T0 + 4, 24.5],
    ]);
    expect(series['weather.sky;city=Graz, AT']?.[0]).toEqual([T0, 'a "blue" one']);

    setLogger({ error: () => {}, warn: () => {} });
    const failing = influx.getWriteApi('my-org', 'my-bucket', 'ms', { maxRetries: 0 });
    failing.writeRecords(['weather,device=station-0 t=1', 'weather,device=station-0 t=']);
    const error: unknown = await failing
      .flush()
      .then(() => failing.close())
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ statusCode: 400, json: { code: 'invalid', line: 2 } });
  });

  test('the body that Telegraf sends, packed, with a token of a scoped key: what it may not write to is named, and the rest is kept', async () => {
    await selsyn.fetch('/api/v1/devices', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'web-1', group: '/acme' }),
    });
    await selsyn.addDevice('elsewhere');
    await selsyn.fetch('/api/v1/roles/telegraf', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ permissions: ['telemetry:write'] }),
    });
    const made = await selsyn.fetch('/api/v1/api-keys', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'telegraf', grants: [{ role: 'telegraf', group: '/acme' }] }),
    });
    const { key } = (await made.json()) as { key: string };
    const lines = [
      `cpu,cpu=cpu-total,host=web-1 usage_idle=97.4,usage_user=1.25 ${T0}000000`,
      `mem,host=elsewhere used=17i,available_percent=44.5 ${T0}000000`,
      `mem,host=never-seen used=17i ${T0}000000`,
      `system,host=web-1 load1=0.52,n_cpus=8i,uptime_format="12 days" ${T0}000000`,
    ];
    const answer = await fetch(`${selsyn.url}/api/v2/write?org=o&bucket=b`, {
      method: 'POST',
      headers: {
        authorization: `Token ${key}`,
        'content-encoding': 'gzip',
        'content-type': 'text/plain; charset=utf-8',
        'user-agent': 'Telegraf/1.30.0 Go/1.22.0',
      },
      body: gzipSync(`${lines.join('\n')}\n`),
    });
    expect(answer.status).toBe(422);
    const { code, message } = (await answer.json()) as { code: string; message: string };
    expect(code).toBe('unprocessable entity');
    expect(message).toMatch(/elsewhere/);
    expect(message).toMatch(/never-seen/);
    expect(message).toMatch(/dropped=2$/);
    expect(await stored('web-1', 5)).toEqual({
      'cpu.usage_idle;cpu=cpu-total': [[T0, 97.4]],
      'cpu.usage_user;cpu=cpu-total': [[T0, 1.25]],
      'system.load1': [[T0, 0.52]],
      'system.n_cpus': [[T0, 8]],
      'system.uptime_format': [[T0, '12 days']],
    });
    expect(await selsyn.get('/api/v1/devices/elsewhere/telemetry')).toEqual({});
  });

  test("InfluxDB 1's own shell imports a dump", async ({ skip }) => {
    const influx = findProgram('influx');
    if (influx === undefined) return skip('influx is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-influx-'));
    try {
      const path = join(folder, 'dump.txt');
      const rows = Array.from({ length: 12_000 }, (_, n) => `room,device=room-${n % 3} t=${n}.5 ${T0 / 1000 + n}`);
      writeFileSync(
        path,
        [
          '# DDL',
          'CREATE DATABASE house WITH NAME autogen',
          '# DML',
          '# CONTEXT-DATABASE: house',
          '# CONTEXT-RETENTION-POLICY: autogen',
          ...rows,
          '',
        ].join('\n'),
      );
      const { hostname, port } = new URL(selsyn.url);
      const { stdout, stderr } = await promisify(execFile)(influx, [
        '-host',
        hostname,
        '-port',
        port,
        '-username',
        'any',
        '-password',
        ADMIN_KEY,
        '-import',
        '-path',
        path,
        '-precision',
        's',
      ]);
      expect(`${stdout}${stderr}`).toMatch(/Processed 12000 inserts/);
      expect(`${stdout}${stderr}`).toMatch(/Failed 0 inserts/);
      expect((await stored('room-1', 4000))['room.t']?.slice(0, 2)).toEqual([
        [T0 + 1000, 1.5],
        [T0 + 4000, 4.5],
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('what was answered with 204 is there after the process was killed', async () => {
    const answer = await selsyn.fetch('/write?db=d&precision=ms', { method: 'POST', body: `m,device=lasting v=1 ${T0}` });
    expect(answer.status).toBe(204);
    await selsyn.end('SIGKILL');
    await selsyn.restart();
    expect(await stored('lasting', 1)).toEqual({ 'm.v': [[T0, 1]] });
  });
});
