import { readFileSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { damageChunks } from '../telemetry/damaged-chunks.fixture.ts';
import { DAY_MS, dayFilePath } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture, parquetForTests } from './archive.fixture.ts';

const PAGE_BYTES = 4096;

const parquet = parquetForTests();
let archive: ArchiveFixture;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  lines = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  archive = await ArchiveFixture.open(parquet, (fixture) => {
    fixture.logLines = pino({ level: 'error', base: null, timestamp: false }, { write });
  });
});
afterEach(async () => {
  await archive[Symbol.asyncDispose]();
});
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
});

const day = (): number => archive.today / DAY_MS;
const damage = (where: string): void => damageChunks(archive.store.dir, day(), where);

test('A chunk that cannot be decoded is left out of the archive, which has all the rest of the day and tells of it', async () => {
  archive.points(['a', 'v', 1, 1], ['b', 'v', 1, 2], ['b', 'w', 1, 2.5], ['b', 'v', 61, 3]);
  archive.points(['b', 'v', 2, 4]);
  damage(`series = 2 AND start_ms = ${archive.today + 60_000}`);
  await archive.pass();
  // Both points of `b v` that came at once are in the chunk.
  expect(await archive.rows()).toEqual(['a v 1 1', 'b v 2 4', 'b w 1 2.5']);
  expect(archive.archiver.isArchived(day())).toBeDefined();
  expect(archive.archiver.backlog.hours).toBe(0);
  expect(archive.archiver.leftOutChunks).toBe(2);
  expect(lines).toMatchObject([
    {
      level: 50,
      day: new Date(archive.today).toISOString().slice(0, 10),
      hours: [0, 1],
      chunks: 2,
      series: [{ device: 'b', metric: 'v' }],
    },
  ]);
  await archive.pass();
  expect(lines).toHaveLength(1);
});

test('What was archived of a chunk before it broke stays there when late points come', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', 2, 2]);
  await archive.pass();
  damage('true');
  archive.points(['a', 'v', 2, 20], ['a', 'v', 3, 3]);
  await archive.pass(true);
  expect(await archive.rows()).toEqual(['a v 1 1', 'a v 2 20', 'a v 3 3']);
  expect(archive.archiver.isArchived(day())).toBeDefined();
  expect([archive.archiver.leftOutChunks, lines.length]).toEqual([1, 1]);
});

test('A page that cannot be read keeps the day from being archived', async () => {
  archive.points(['a', 'v', 1, 1], ['b', 'v', 1, 2]);
  const { files } = archive.store.writer;
  const row = files.use(day()).db.prepare('SELECT data FROM chunk WHERE series = 1').get();
  files.closeDay(day());
  const path = dayFilePath(archive.store.dir, day());
  const bytes = readFileSync(path);
  const at = bytes.indexOf(row!['data'] as Uint8Array);
  expect(at).toBeGreaterThan(PAGE_BYTES);
  bytes.fill(0xff, at - (at % PAGE_BYTES), at - (at % PAGE_BYTES) + PAGE_BYTES);
  writeFileSync(path, bytes);
  await expect(archive.pass()).rejects.toThrow(/could not be read/);
  expect(await archive.rows()).toEqual([]);
  expect(archive.archiver.isArchived(day())).toBeUndefined();
  expect([archive.archiver.leftOutChunks, lines]).toEqual([0, []]);
});

test('A day file of a later version is not archived: its chunks may have a form that is not known', async () => {
  archive.points(['a', 'v', 1, 1]);
  damage('true');
  archive.store.writer.files.use(day()).db.exec('PRAGMA user_version = 3');
  await expect(archive.pass()).rejects.toThrow(/could not be read/);
  expect(archive.archiver.isArchived(day())).toBeUndefined();
  expect(archive.archiver.leftOutChunks).toBe(0);
});
