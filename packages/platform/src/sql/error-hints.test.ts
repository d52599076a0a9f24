import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../columnar/engine.ts';
import { withHint } from './error-hints.ts';
import { planQuery } from './query-plan.ts';

let engine: Awaited<ReturnType<typeof openEngine>>;
beforeAll(async () => {
  engine = await openEngine({ memoryBytes: 2 ** 28, threads: 1, scratchDir: undefined, maxScratchBytes: 0 });
  await engine.connection.run("SET TimeZone = 'UTC'");
  await engine.connection.run('SET errors_as_json = true');
});
afterAll(() => {
  engine.connection.closeSync();
  engine.instance.closeSync();
});

/** The tables are gone with the transaction. */
async function messageOf(sql: string): Promise<string> {
  await engine.connection.run('BEGIN');
  try {
    await planQuery(engine.connection, sql);
    return 'it can be run';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await engine.connection.run('ROLLBACK');
  }
}

describe('What newcomers write is answered with what to write', () => {
  test.each([
    ['SELECT 1 FROM telemetry t JOIN devices d ON t.device = d.device', 'devices.id, and telemetry.device'],
    ['SELECT 1 FROM telemetry t JOIN devices d ON t.device_id = d.id', 'devices.id, and telemetry.device'],
    ['SELECT temperature FROM telemetry', "metric = 'temperature' asks for its rows"],
    ['SELECT * FROM telemetry WHERE device = "sensor-1"', "single quotes, as 'sensor-1'"],
    ["SELECT * FROM devices WHERE group = '/acme'", 'the column "group" needs its quotes'],
    ['SELECT name, group FROM devices', 'the column "group" needs its quotes'],
    ['SELECT * FROM telemetry WHERE time > 1700000000000', 'epoch_ms('],
    ["SELECT * FROM telemetry WHERE time > now() - '1 hour'", "INTERVAL '1 hour'"],
    ['SELECT * FROM telemetry WHERE time > now() - 1h', "INTERVAL '1 hour'"],
    ['SELECT * FROM telemetry WHERE time > now - INTERVAL 1 HOUR', 'now()'],
    ['SELECT * FROM telemetry WHERE time > yesterday', 'current_date - 1'],
    ['SELECT dateadd(hour, -1, now())', "time + INTERVAL '1 hour'"],
    ["SELECT to_char(time, 'YYYY') FROM telemetry", 'strftime('],
    ['SELECT nothing_like_it(1)', 'there is no function nothing_like_it'],
    ['SELECT TOP 10 * FROM telemetry', 'LIMIT at the end'],
    ['PIVOT telemetry ON metric USING avg(value) GROUP BY device', "ON metric IN ('temperature', 'humidity')"],
    ["SELECT id FROM devices WHERE tags LIKE '%a%'", 'list_contains(tags'],
    ['SELECT * FROM devices JOIN telemetry USING (device)', 'devices.id = telemetry.device'],
    ['SELECT * FROM information_schema.columns', 'DESCRIBE'],
    ['PRAGMA table_info(telemetry)', 'DESCRIBE'],
    ['\\d telemetry', 'SHOW TABLES'],
    ["SELECT * FROM read_csv('x.csv')", 'a query reads the tables telemetry'],
    ['SELECT 1; SELECT 2', 'send each on its own'],
  ])('%s', async (sql, part) => {
    const message = await messageOf(sql);
    expect(message).toContain(part);
    expect(message).not.toMatch(/Candidate functions|\t|\n/);
  });

  test('also where it turns out when the query runs', () => {
    const failed = "Could not convert string 'on' to DOUBLE";
    expect(withHint(failed, "SELECT * FROM telemetry WHERE value = 'on'", 0)).toBe(
      `${failed}; value holds numbers; texts are in text, true and false in flag`,
    );
  });
});

test('What is right needs no hint', async () => {
  for (const sql of [
    'SHOW TABLES',
    'show tables;',
    'DESCRIBE telemetry',
    'SELECT 1; -- one',
    '-- one\nSELECT 1',
    'FROM devices',
  ]) {
    expect([sql, await messageOf(sql)]).toEqual([sql, 'it can be run']);
  }
  expect(withHint('something else', 'SELECT 1', undefined)).toBe('something else');
});

describe('A time that is in UTC is not taken for one of another zone', () => {
  test.each([
    "SELECT date_trunc('day', time AT TIME ZONE 'Europe/Berlin') AS day, avg(value) FROM telemetry GROUP BY day",
    "SELECT avg(t.mean) FROM telemetry_1h t JOIN devices d ON d.id = t.device WHERE t.time AT TIME ZONE 'Asia/Tokyo' > now()",
    "WITH x AS (SELECT timezone('America/New_York', time) AS local FROM telemetry) FROM x",
  ])('%s', async (sql) => {
    expect(await messageOf(sql)).toMatch(
      /^time is in UTC: .* time AT TIME ZONE 'UTC' AT TIME ZONE '\w+\/\w+' \(line 1, column \d+\)$/,
    );
  });

  test.each([
    "SELECT (time AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE AS day, avg(value) FROM telemetry GROUP BY day",
    "SELECT time_bucket(INTERVAL 1 DAY, time AT TIME ZONE 'utc', 'Europe/Berlin') AS day, count(*) FROM telemetry GROUP BY day",
    "SELECT * FROM telemetry WHERE time >= TIMESTAMP '2026-11-22' AT TIME ZONE 'Europe/Berlin'",
    // A time of another name, and one that has a zone by then.
    "WITH x AS (SELECT time AT TIME ZONE 'UTC' AS time FROM telemetry) SELECT time AT TIME ZONE 'Europe/Berlin' FROM x",
    "WITH telemetry AS (SELECT now() AS time) SELECT time AT TIME ZONE 'Europe/Berlin' FROM telemetry",
  ])('but is taken where it is right: %s', async (sql) => {
    expect(await messageOf(sql)).toBe('it can be run');
  });
});
