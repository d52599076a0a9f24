import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { ARCHIVE_LIMITS } from './columnar-limits.ts';
import { openParquetFiles } from './open-parquet-files.ts';
import type { PointFilter, SeriesPoints } from './parquet-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'selsyn-parquet-'));
const files = openParquetFiles({
  limits: ARCHIVE_LIMITS,
  scratchDir: join(dir, 'scratch'),
  clock: systemClock,
  logLines: silentLogLines,
});
afterEach(() => rmSync(join(dir, 'a.parquet'), { force: true }));
afterAll(async () => {
  await files[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const PATH = join(dir, 'a.parquet');
const T0 = 1_700_000_000_000;

function numbers(device: string, metric: string, from: number, count: number, value = (i: number) => i / 4): SeriesPoints {
  return {
    device,
    metric,
    times: Float64Array.from({ length: count }, (_, i) => T0 + (from + i) * 1000),
    values: Float64Array.from({ length: count }, (_, i) => value(from + i)),
  };
}

async function all(path: string, where?: PointFilter): Promise<[string, string, number, unknown][]> {
  const rows: [string, string, number, unknown][] = [];
  for await (const batch of files.read(path, where)) {
    for (const { device, metric, times, values } of batch) {
      times.forEach((time, i) => rows.push([device, metric, time - T0, values[i]]));
    }
  }
  return rows;
}

async function write(path: string, ...batches: SeriesPoints[][]): Promise<void> {
  const draft = await files.create(path);
  for (const batch of batches) await draft.append(batch);
  await draft.finish();
}

test('Points of every kind come back as they were written, in their order', async () => {
  const mixed: SeriesPoints = {
    device: 'a',
    metric: 'state',
    times: Float64Array.of(T0, T0 + 1, T0 + 2, T0 + 3),
    values: ['on', false, 1.5, true],
  };
  const text: SeriesPoints = { device: 'b', metric: 'text', times: Float64Array.of(T0 - 5), values: ['it’s „ ok \u0000'] };
  const draft = await files.create(PATH);
  await draft.append([mixed, numbers('a', 'temperature', 0, 5_000)]);
  await draft.append([text]);
  const facts = await draft.finish();
  expect(facts).toMatchObject({
    path: PATH,
    rows: 5_005,
    minTimeMs: T0 - 5,
    maxTimeMs: T0 + 4_999_000,
    firstDevice: 'a',
    lastDevice: 'b',
    bytes: (await stat(PATH)).size,
  });
  expect(await files.verify(PATH)).toEqual(facts);
  const rows = await all(PATH);
  expect(rows.slice(0, 5)).toEqual([
    ['a', 'state', 0, 'on'],
    ['a', 'state', 1, false],
    ['a', 'state', 2, 1.5],
    ['a', 'state', 3, true],
    ['a', 'temperature', 0, 0],
  ]);
  expect(rows.slice(4, -1)).toEqual(Array.from({ length: 5_000 }, (_, i) => ['a', 'temperature', i * 1000, i / 4]));
  expect(rows.at(-1)).toEqual(['b', 'text', -5, 'it’s „ ok \u0000']);
});

test(
  'A draft of more points than are kept in memory is one file in the order in which it was appended',
  { timeout: 600_000 },
  async () => {
    const batches = Array.from({ length: 24 }, (_, i) => [numbers(`d${100 + i}`, 'm', 0, 50_000)]);
    await write(PATH, ...batches);
    expect(await files.verify(PATH)).toMatchObject({ rows: 1_200_000, firstDevice: 'd100', lastDevice: 'd123' });
    const seen: string[] = [];
    for await (const batch of files.read(PATH)) for (const { device } of batch) if (seen.at(-1) !== device) seen.push(device);
    expect(seen).toEqual(batches.map(([series]) => series!.device));
    expect(await readdir(join(dir, 'scratch'))).toEqual([]);
  },
);

test('Of points that several files have, the merged file has that of the last one, in order', async () => {
  const [first, second, merged] = ['1', '2', 'm'].map((name) => join(dir, `${name}.parquet`)) as [string, string, string];
  await write(first, [numbers('a', 'x', 0, 10), numbers('b', 'x', 0, 3)]);
  await write(second, [numbers('a', 'w', 0, 1), numbers('a', 'x', 8, 4, () => -1)]);
  const facts = await files.merge({ files: [first, second], path: merged });
  expect(facts.rows).toBe(16);
  expect(await all(merged)).toEqual([
    ['a', 'w', 0, 0],
    ...Array.from({ length: 12 }, (_, i) => ['a', 'x', i * 1000, i < 8 ? i / 4 : -1]),
    ...Array.from({ length: 3 }, (_, i) => ['b', 'x', i * 1000, i / 4]),
  ]);
});

test.each<[PointFilter, number]>([
  [{ devices: ['b'] }, 3],
  [{ devices: [] }, 0],
  [{ notDevices: ['b'] }, 10],
  [{ metrics: ['x', "it's"] }, 13],
  [{ notMetrics: ['x'] }, 0],
  [{ fromDevice: 'aa' }, 3],
  [{ toDevice: 'b' }, 10],
  [{ fromMs: T0 + 1000, toMs: T0 + 3000 }, 4],
])('A file is copied and read with the filter %j', async (where, rows) => {
  const copy = join(dir, 'copy.parquet');
  await write(PATH, [numbers('a', 'x', 0, 10), numbers('b', 'x', 0, 3)]);
  expect(await files.merge({ files: [PATH], path: copy, where })).toMatchObject({ rows });
  expect(await all(PATH, where)).toHaveLength(rows);
});

test('A file that is broken is told so', async () => {
  await write(PATH, [numbers('a', 'x', 0, 10_000, Math.sin)]);
  const bytes = readFileSync(PATH);
  const cut = join(dir, 'cut.parquet');
  writeFileSync(cut, bytes.subarray(0, bytes.length - 100));
  await expect(files.verify(cut)).rejects.toMatchObject({ code: 'columnar.failed' });
  bytes.fill(0xff, 4, 60);
  writeFileSync(cut, bytes);
  await expect(files.verify(cut)).rejects.toMatchObject({ code: 'columnar.failed' });
});

test('An empty draft is an empty file; a draft that is given up is none', async () => {
  await write(PATH);
  expect(await files.verify(PATH)).toMatchObject({ rows: 0, minTimeMs: undefined, firstDevice: undefined });
  rmSync(PATH);
  const draft = await files.create(PATH);
  await draft.append([numbers('a', 'x', 0, 10)]);
  await draft.abandon();
  await expect(stat(PATH)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('The devices of files are told with their points, in order, in batches', async () => {
  const other = join(dir, 'b.parquet');
  const names = Array.from({ length: 20_000 }, (_, i) => `d${String(i).padStart(5, '0')}`);
  await write(
    PATH,
    names.map((device) => numbers(device, 'x', 0, 2)),
  );
  await write(other, [numbers('d00001', 'x', 0, 3), numbers('e', 'x', 0, 1)]);
  const found = [];
  let batches = 0;
  for await (const batch of files.devices([PATH, other])) {
    batches++;
    found.push(...batch);
  }
  expect(batches).toBeGreaterThan(1);
  expect(found.map(({ device }) => device)).toEqual([...names, 'e']);
  expect([found[0], found[1], found.at(-1)]).toEqual([
    { device: 'd00000', points: 2 },
    { device: 'd00001', points: 5 },
    { device: 'e', points: 1 },
  ]);
  const some = [];
  for await (const batch of files.devices([PATH], { fromDevice: 'd19998', fromMs: T0 + 1000 })) some.push(...batch);
  expect(some).toEqual([
    { device: 'd19998', points: 1 },
    { device: 'd19999', points: 1 },
  ]);
  await expect(
    files
      .devices([join(dir, 'none')])
      [Symbol.asyncIterator]()
      .next(),
  ).rejects.toMatchObject({ code: 'columnar.failed' });
  rmSync(other);
});

test('Files without common points are joined in order', async () => {
  const [first, second] = [join(dir, 'b.parquet'), join(dir, 'c.parquet')];
  await write(first, [numbers('a', 'x', 2, 2), numbers('b', 'x', 0, 1)]);
  await write(second, [numbers('a', 'x', 0, 2)]);
  expect(await files.merge({ files: [first, second], path: PATH, disjoint: true })).toMatchObject({ rows: 5 });
  expect((await all(PATH)).map(([device, , time]) => [device, time])).toEqual([
    ['a', 0],
    ['a', 1000],
    ['a', 2000],
    ['a', 3000],
    ['b', 0],
  ]);
  for (const path of [first, second]) rmSync(path);
});
