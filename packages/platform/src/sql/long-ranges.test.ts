import { afterAll, beforeAll, expect, test } from 'vitest';
import { parquetForTests } from '../archive/archive.fixture.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { SqlFixture } from './sql.fixture.ts';

/** As long as five years, with as many day files as a query may have open that was made for days. */
const DAYS = 320;
const STEP_DAYS = 5;
const MAX_POINTS = 500;

const parquet = parquetForTests();
let sql: SqlFixture;
beforeAll(async () => {
  sql = await SqlFixture.open(parquet, { limits: { maxPoints: MAX_POINTS } });
  const { store, log } = sql.archive;
  for (let day = 0; day < DAYS; day++) {
    const ts = sql.today - day * STEP_DAYS * DAY_MS;
    log.append(0, store.clock.now(), [
      ['a', { ts, temperature: day }],
      ['b', { ts, temperature: 1000 }],
    ]);
  }
  store.consume();
  store.writer.chunks.saveSeries();
  store.seal();
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await parquet[Symbol.asyncDispose]();
});

const SUM = (DAYS * (DAYS - 1)) / 2;

test('Points of one device are read over years', async () => {
  const { data, statistics } = await sql.query("SELECT count(*), sum(value) FROM telemetry WHERE device = 'a'");
  expect([data, statistics.storedPoints]).toEqual([[[DAYS, SUM]], DAYS]);
});

test('Hours and days are read over years, rolled up or not', async () => {
  const answers = async (): Promise<unknown[][]> => [
    ...(await sql.rows("SELECT count(*), sum(sum) FROM telemetry_1d WHERE device = 'a'")),
    ...(await sql.rows(
      `SELECT count(*), sum(sum) FROM telemetry_1h WHERE device = 'a' AND time > ${sql.at(-DAYS * STEP_DAYS * 1440)}`,
    )),
  ];
  const expected = [
    [DAYS, SUM],
    [DAYS, SUM],
  ];
  expect(await answers()).toEqual(expected);
  const { store } = sql.archive;
  store.saveLowWater();
  for (let round = 0; round < 1_000 && store.writer.unrolled.all.length > 0; round++) {
    store.clock.advance(70_000);
    while (store.writer.rollups.step());
  }
  store.saveLowWater();
  expect(await answers()).toEqual(expected);
  const { statistics } = await sql.query('SELECT count(*) FROM telemetry_1d');
  expect(statistics).toMatchObject({ rollupRows: 2 * DAYS, storedPoints: 0 });
});

test('What came of a clock that was never set is there, half a century before all else', async () => {
  const { store, log } = sql.archive;
  log.append(0, store.clock.now(), [['lost', { ts: 0, temperature: 1 }]]);
  store.consume();
  expect(await sql.rows("SELECT epoch_ms(time), count FROM telemetry_1h WHERE device = 'lost'")).toEqual([[0, 1]]);
  expect(await sql.rows('SELECT sum(count) FROM telemetry_1d')).toEqual([[2 * DAYS + 1]]);
});

test.each([
  [
    'SELECT avg(value) FROM telemetry',
    ['add a condition on time', 'name devices', 'name metrics', 'read telemetry_1h or telemetry_1d'],
  ],
  [
    "SELECT avg(value) FROM telemetry WHERE metric = 'temperature' AND time > TIMESTAMP '2000-01-01'",
    ['ask for a shorter time', 'name devices'],
  ],
])('More points than may be read are refused, with what to add: %s', async (query, advice) => {
  const error: { code: string; message: string; details: object } = await sql.rows(query).then(
    () => expect.fail('it ran'),
    (thrown) => thrown,
  );
  expect([error.code, error.details]).toEqual(['sql.over-limit', { limit: 'points', maxPoints: MAX_POINTS }]);
  expect(error.message).toContain(`reads more than ${MAX_POINTS} points`);
  for (const part of advice) expect(error.message).toContain(part);
  expect(error.message.includes('name metrics')).toBe(advice.includes('name metrics'));
});

test('A query that takes too long is told what to add', async () => {
  const slow = "SELECT count(*) FROM telemetry, range(1000000000) r WHERE device = 'a' AND r.range * value = -1";
  await expect(sql.query(slow, { deadlineMs: 500 })).rejects.toMatchObject({
    code: 'sql.over-limit',
    message: expect.stringContaining('add a condition on time'),
  });
});
