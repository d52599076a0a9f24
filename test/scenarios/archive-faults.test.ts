import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, test } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

interface Status {
  readonly state: string;
  readonly points: number;
  readonly objects: number;
  readonly openErasures: number;
  readonly badObjects: number;
}

const HOUR_MS = 3_600_000;

test('a damaged object is told of and given up, and a lost manifest is rebuilt from the objects', async () => {
  await using selsyn = await Selsyn.start({ settings: ['archive.target=disk'] });
  const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 30 * HOUR_MS;
  for (const device of ['d1', 'd2']) {
    const password = await selsyn.addDevice(device);
    const client = await connectAsync(selsyn.mqttUrl, { clientId: device, username: device, password });
    for (let hour = 0; hour < 3; hour++) {
      const samples = Array.from({ length: 60 }, (_, minute) => ({ ts: startMs + hour * HOUR_MS + minute * 60_000, v: minute }));
      await client.publishAsync(`telemetry/${device}`, JSON.stringify(samples), { qos: 1 });
    }
    await client.endAsync();
  }
  const cli = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await selsyn.cli(...args);
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };
  const status = async (): Promise<Status> => await selsyn.get<Status>('/api/v1/archive');
  const until = async (isSo: (status: Status) => boolean): Promise<Status> =>
    await eventually(async () => {
      const found = await status();
      return isSo(found) ? found : undefined;
    });

  // All of it is in memory only: points wait there for ten minutes.
  await cli('archive', 'run');
  await until(({ state, points }) => state === 'idle' && points === 360);

  const folder = join(selsyn.data, 'archive', 'objects');
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'));
  const path = join(folder, paths[0]!);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  expect(await cli('erase', 'd1', '--yes')).not.toBe('');
  await until(({ badObjects, openErasures }) => badObjects === 1 && openErasures === 1);
  expect(await cli('archive')).toContain('damaged or gone: 1 object (');
  const [bad] = (await selsyn.get<{ items: { id: number; code: string }[] }>('/api/v1/archive/bad-objects')).items;
  expect(bad).toMatchObject({ code: 'data.corrupt' });
  expect(await cli('archive', 'bad')).toMatch(/ damaged$/m);
  expect((await selsyn.cli('archive', 'give-up', String(bad!.id))).stderr).toContain('say --yes');
  expect(await cli('archive', 'give-up', String(bad!.id), '--yes')).toMatch(/^given up: device_type=/);
  await until(({ badObjects, openErasures }) => badObjects === 0 && openErasures === 0);
  expect(await cli('audit', '--action', 'archive.give-up')).toContain('archive.give-up');

  await cli('archive', 'run');
  await until(({ state, points }) => state === 'idle' && points === 180);
  await selsyn.end('SIGTERM');
  for (const name of readdirSync(join(selsyn.data, 'archive'))) {
    if (name.startsWith('archive.db')) rmSync(join(selsyn.data, 'archive', name));
  }
  await selsyn.restart();
  await until(({ state }) => state === 'unknown-objects');
  expect(await cli('archive')).toContain('selsyn archive rebuild');
  await cli('archive', 'rebuild');
  await until(({ state, points }) => state === 'idle' && points === 180);
  expect(await cli('archive')).toMatch(/^rebuilt: (\d+) of \1 objects? taken over$/m);
});
