import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { AT_ONCE, parquetForTests } from '../archive/archive.fixture.ts';
import { SqlFixture } from './sql.fixture.ts';

const parquet = parquetForTests();
let sql: SqlFixture;
beforeEach(async () => {
  sql = await SqlFixture.open(parquet, { change: (archive) => void (archive.times = { ...AT_ONCE, latestMs: Infinity }) });
  sql.archive.types.types.set('a', 'meter');
  sql.archive.points(['a', 'm', 0, 1], ['a', 'm', 1, 2], ['a', 'm', 61, 3], ['b', 'm', 0, 'text']);
  await sql.archive.pass(true);
});
afterEach(async () => await sql[Symbol.asyncDispose]());
afterAll(async () => await parquet[Symbol.asyncDispose]());

const ALL = 'SELECT device, (epoch_ms(time) - $) // 60000, value, text, device_type FROM telemetry ORDER BY device, time';
const all = async (): ReturnType<SqlFixture['query']> => await sql.query(ALL.replace('$', String(sql.today)));
const ARCHIVED = [
  ['a', 0, 1, null, 'meter'],
  ['a', 1, 2, null, 'meter'],
  ['a', 61, 3, null, 'meter'],
  ['b', 0, null, 'text', null],
];

test('Hours of which the archive has everything are read from it alone', async () => {
  const { data, statistics } = await all();
  expect(data).toEqual(ARCHIVED);
  expect(statistics).toMatchObject({ storedPoints: 0, archivedHours: 2, archiveFiles: 3, archiveRows: 4 });
  const narrow = await sql.query(
    `SELECT value FROM telemetry WHERE device = 'a' AND time >= ${sql.at(60)} AND time < ${sql.at(120)}`,
  );
  expect([narrow.data, narrow.statistics]).toMatchObject([[[3]], { archiveFiles: 1, archiveRows: 1, storedPoints: 0 }]);
});

test('Of an hour with newer points, in day files or in memory, these win, and each point is there once', async () => {
  sql.archive.points(['a', 'm', 1, -2], ['a', 'm', 2, 5]);
  const late = await all();
  const merged = [
    ['a', 0, 1, null],
    ['a', 1, -2, null],
    ['a', 2, 5, null],
    ['a', 61, 3, null],
    ['b', 0, null, 'text'],
  ];
  expect(late.data.map((row) => row.slice(0, 4))).toEqual(merged);
  expect(late.statistics).toMatchObject({ archivedHours: 1 });
  sql.hotPoints(['a', 'm', 61, -3], ['a', 'm', 62, 6]);
  const hot = await all();
  expect(hot.data.map((row) => row.slice(0, 4))).toEqual([
    ...merged.slice(0, 3),
    ['a', 61, -3, null],
    ['a', 62, 6, null],
    merged[4],
  ]);
  expect(hot.statistics).toMatchObject({ archivedHours: 0, hotPoints: 2 });
});

test('A device that is erased is gone from SQL at once, and what it sends later is there', async () => {
  await sql.archive.erasures.begin({ device: 'a', requestedBy: 'test', reason: 'requested' });
  expect((await all()).data).toEqual([['b', 0, null, 'text', null]]);
  sql.archive.points(['a', 'm', 5, 9]);
  expect((await all()).data.map((row) => row.slice(0, 3))).toEqual([
    ['a', 5, 9],
    ['b', 0, null],
  ]);
});

test('Devices are found in the archive by what they are and were', async () => {
  expect(await sql.rows("SELECT count(*) FROM telemetry WHERE device_type = 'meter'")).toEqual([[3]]);
  expect(await sql.rows("SELECT count(*) FROM telemetry WHERE device_type = 'pump'")).toEqual([[0]]);
  expect(await sql.rows('SELECT count(*) FROM telemetry WHERE device_type IS NULL')).toEqual([[1]]);
});
