import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parquetForTests } from '../archive/archive.fixture.ts';
import { lockSettings, openEngine, shutIn } from '../columnar/engine.ts';
import { SqlFixture } from './sql.fixture.ts';

const parquet = parquetForTests();
let sql: SqlFixture;
const SCOPE = { groups: ['/acme/x'] };
beforeAll(async () => {
  sql = await SqlFixture.open(parquet);
  await sql.registry.devices.create({ id: 'mine' as never, group: '/acme/x/deep' });
  await sql.registry.devices.create({ id: 'theirs' as never, group: '/acme/y' });
  sql.archive.points(['mine', 'm', 0, 1], ['theirs', 'm', 0, 2], ['unknown', 'm', 0, 3]);
  // Archived, and something newer in memory: rows of all places.
  await sql.archive.pass();
  sql.archive.points(['mine', 'm', 1, 1], ['theirs', 'm', 1, 2]);
  sql.hotPoints(['mine', 'm', 2, 1], ['theirs', 'm', 2, 2]);
  writeFileSync(join(sql.scratchDir, 'secret.csv'), 'secret\n42\n');
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await parquet[Symbol.asyncDispose]();
});

describe('Whoever sees a part of the devices sees', () => {
  test.each([
    ['SELECT device, count(*) FROM telemetry GROUP BY 1', [['mine', 3]]],
    ['SELECT DISTINCT device FROM telemetry_1h', [['mine']]],
    ['SELECT DISTINCT device FROM telemetry_1d', [['mine']]],
    ['SELECT id FROM devices', [['mine']]],
    ["SELECT id FROM devices WHERE id = 'theirs'", []],
    [`SELECT id FROM devices WHERE "group" = '/acme/y'`, []],
    [`SELECT id FROM devices WHERE "group" = '/'`, []],
    [`SELECT id FROM devices WHERE "group" = 'no path'`, []],
    [`SELECT id FROM devices WHERE id = '*' OR id = ''`, []],
    ['SELECT DISTINCT device, device_type FROM telemetry', [['mine', null]]],
    ["SELECT count(*) FROM telemetry WHERE device_type = 'x' OR device = 'theirs'", [[0]]],
    ["SELECT count(*) FROM telemetry WHERE device = 'theirs'", [[0]]],
    ["SELECT count(*) FROM telemetry WHERE device IN ('theirs', 'unknown')", [[0]]],
    ["SELECT count(*) FROM telemetry_1h WHERE device = 'theirs' OR true", [[1]]],
    ["WITH telemetry AS (SELECT * FROM telemetry) SELECT count(*) FROM telemetry WHERE device <> 'mine'", [[0]]],
    ["WITH d AS (SELECT 'theirs' AS id) SELECT count(*) FROM telemetry WHERE device IN (SELECT id FROM d)", [[0]]],
    ["WITH devices AS (SELECT 'theirs' AS id) SELECT count(*) FROM telemetry JOIN devices ON id = device", [[0]]],
    [
      "SELECT (SELECT max(value) FROM telemetry t WHERE t.device = x.id) FROM (VALUES ('theirs'), ('mine')) x(id) ORDER BY id",
      [[1], [null]],
    ],
    ['SELECT max(c.value) FROM telemetry a, LATERAL (SELECT * FROM telemetry b WHERE b.device > a.device) c', [[null]]],
    ['SELECT a.device, b.device FROM telemetry a ASOF JOIN telemetry b USING (time) WHERE a.device <> b.device', []],
    ['WITH RECURSIVE r AS (SELECT device FROM telemetry UNION SELECT t.device FROM telemetry t, r) FROM r', [['mine']]],
    ["SELECT count(*) FROM (SUMMARIZE telemetry) WHERE max = 'theirs'", [[0]]],
    ["(SELECT device FROM telemetry EXCEPT SELECT 'mine') UNION ALL (SELECT device FROM telemetry WHERE device > 'mine')", []],
  ])('only that: %s', async (query, rows) => {
    expect(await sql.rows(query, SCOPE)).toEqual(rows);
  });

  test('and who sees everything sees also what no registry knows', async () => {
    expect(await sql.rows('SELECT device, count(*) FROM telemetry GROUP BY 1 ORDER BY 1')).toEqual([
      ['mine', 3],
      ['theirs', 3],
      ['unknown', 1],
    ]);
    expect(await sql.rows('SELECT count(*) FROM telemetry', { groups: ['/nowhere'] })).toEqual([[0]]);
    expect(await sql.rows('SELECT count(*) FROM telemetry', { groups: [] })).toEqual([[0]]);
    expect((await sql.query('SELECT count(*) FROM devices', { deviceScope: { groups: [] } })).data).toEqual([[0]]);
  });
});

describe('Is refused', () => {
  test.each([
    "SELECT * FROM read_parquet('/x.parquet')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/x')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/**')",
    "SELECT * FROM '/etc/passwd'",
    "FROM 'secret.csv'",
    `SELECT * FROM "secret.csv"`,
    "WITH t AS (SELECT 1) SELECT * FROM (SELECT * FROM 'secret.csv') x",
    `SELECT * FROM (WITH "secret.csv" AS (SELECT 1) FROM "secret.csv") a, "secret.csv" b`,
    `WITH a AS (FROM "secret.csv"), "secret.csv" AS (SELECT 1) FROM a`,
    `WITH RECURSIVE "secret.csv" AS (FROM "secret.csv" UNION ALL SELECT 1) FROM "secret.csv"`,
    `WITH "seen_devices" AS (SELECT 1) SELECT (SELECT count(*) FROM seen_devices) FROM (FROM table_scan(1))`,
    'SELECT * FROM seen_devices',
    'SELECT * FROM table_scan(1)',
    'SELECT * FROM seq_scan(1)',
    'SELECT * FROM arrow_scan(1, 2, 3)',
    'SELECT * FROM main.telemetry',
    'SELECT * FROM memory.main.telemetry',
    'SELECT * FROM information_schema.tables',
    'SELECT * FROM pg_catalog.pg_tables',
    'SELECT * FROM sqlite_master',
    'SELECT * FROM duckdb_settings()',
    'SELECT * FROM duckdb_secrets()',
    'SELECT * FROM duckdb_functions()',
    'SELECT * FROM pragma_version()',
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('telemetry')",
    "SELECT json_execute_serialized_sql('{}')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT getenv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT current_setting('memory_limit')",
    "SELECT getvariable('x')",
    'SELECT version()',
    "SELECT write_log('x')",
    'SELECT sleep_ms(100000)',
    'SELECT pg_sleep(100)',
    'SELECT list_transform([1], x -> sleep_ms(x))',
    "SELECT GETENV('HOME')",
    `SELECT "getenv"('HOME')`,
    'SELECT count(*) FILTER (version() = 1) FROM telemetry',
    'SELECT sum(value) OVER (ORDER BY version()) FROM telemetry',
    'SELECT * FROM telemetry ORDER BY version()',
    'SELECT * FROM telemetry LIMIT (SELECT count(*) FROM duckdb_settings())',
    'SELECT 1 GROUP BY version() HAVING version() > 1',
    'SELECT * EXCLUDE (value) REPLACE (version() AS device) FROM telemetry',
    "COPY telemetry TO '/tmp/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "ATTACH '/tmp/x.db' AS x",
    'INSTALL httpfs',
    'LOAD httpfs',
    "SET memory_limit = '100GB'",
    'SET VARIABLE x = 1',
    'RESET memory_limit',
    'PRAGMA database_list',
    'CALL pragma_version()',
    'CREATE TABLE x AS SELECT 1',
    'CREATE MACRO f(a) AS a',
    'CREATE VIEW telemetry AS SELECT 1',
    'INSERT INTO telemetry SELECT * FROM telemetry',
    'DELETE FROM devices',
    'UPDATE devices SET id = 1',
    'DROP VIEW telemetry',
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    'CHECKPOINT',
    'VACUUM',
    'BEGIN',
    'ROLLBACK',
    'USE main',
    'DETACH memory',
    'EXPLAIN ANALYZE SELECT 1',
    'PREPARE x AS SELECT 1',
    'EXECUTE x',
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP VIEW telemetry',
    "SELECT 1) TO '/tmp/x'; COPY (SELECT 2",
    'SHOW ALL TABLES',
    'SHOW DATABASES',
    'DESCRIBE duckdb_settings',
    'SELECT * FROM (DESCRIBE sqlite_master)',
    "SUMMARIZE 'secret.csv'",
    'SELECT $1',
    'SELECT ?',
    'SELECT * FROM telemetry AT (VERSION => 1)',
    '',
    '   ',
    '-- nothing',
    ';',
  ])('%s', async (query) => {
    for (const format of ['json', 'csv'] as const) {
      await expect(sql.query(query, { format })).rejects.toMatchObject({
        code: expect.stringMatching(/^sql\.(refused|invalid)$/),
      });
    }
  });

  test('each of them by the engine too, were it not for the syntax tree', async () => {
    const engine = await openEngine({ memoryBytes: 2 ** 28, threads: 1, scratchDir: undefined, maxScratchBytes: 0 });
    const { connection } = engine;
    await shutIn(connection, [join(sql.scratchDir, 'sql')]);
    await lockSettings(connection);
    const secret = join(sql.scratchDir, 'secret.csv');
    for (const query of [
      `SELECT * FROM '${secret}'`,
      `SELECT * FROM read_csv('${secret}')`,
      `SELECT * FROM read_csv('${join(sql.scratchDir, 'sql', '..', 'secret.csv')}')`,
      `SELECT * FROM read_text('${secret}')`,
      `SELECT * FROM glob('${sql.scratchDir}/*')`,
      `COPY (SELECT 1) TO '${sql.scratchDir}/out.csv'`,
      `ATTACH '${sql.scratchDir}/x.db'`,
      'INSTALL httpfs',
      'LOAD httpfs',
      "SET memory_limit = '100GB'",
      'SET enable_external_access = true',
      'RESET allowed_directories',
      "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    ]) {
      await expect(connection.run(query), query).rejects.toThrow(/disabled|locked|does not exist|Cannot|not allowed/i);
    }
    connection.closeSync();
    engine.instance.closeSync();
  });
});

describe('Runs', () => {
  test.each([
    ['FROM telemetry SELECT count(*)'],
    ['DESCRIBE telemetry'],
    ['SUMMARIZE telemetry'],
    ['VALUES (1), (2)'],
    ['TABLE devices'],
    ["SELECT time_bucket(INTERVAL '5 minutes', time) AS t, avg(value) FROM telemetry GROUP BY t ORDER BY t"],
    [
      "SELECT date_trunc('hour', time), extract(hour FROM time), time AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin', strftime(time, '%Y') FROM telemetry",
    ],
    [
      'SELECT device, value - lag(value) OVER (PARTITION BY device, metric ORDER BY time) FROM telemetry QUALIFY row_number() OVER () < 5',
    ],
    ['SELECT * FROM telemetry a ASOF JOIN telemetry b ON a.device = b.device AND a.time >= b.time'],
    ["SELECT * FROM (PIVOT (SELECT device, metric, value FROM telemetry) ON metric IN ('m', 'n') USING avg(value))"],
    [
      'SELECT device, list(value ORDER BY time) l, [x * 2 FOR x IN list(value) IF x > 1], quantile_cont(value, [0.5, 0.9]) FROM telemetry GROUP BY device',
    ],
    ["SELECT {'a': 1, 'b': [1, 2]}.b[1], MAP {'x': 1}['x'], '{\"a\": 1}'::JSON->>'a', struct_pack(a := 1).a"],
    [
      "SELECT CASE WHEN value > 1 THEN 'hi' ELSE 'lo' END, value::INT, TRY_CAST(text AS DOUBLE), coalesce(text, 'x') FROM telemetry",
    ],
    ["SELECT COLUMNS('v.*'), * EXCLUDE (value), * REPLACE (value * 2 AS value) FROM telemetry"],
    ['SELECT * FROM generate_series(1, 3) g(x), range(2), unnest([1, 2])'],
    [
      "SELECT device FROM telemetry WHERE device SIMILAR TO 'm.*' OR device LIKE '%\\_%' ESCAPE '\\' OR regexp_matches(device, '^t') OR device ILIKE 'M%'",
    ],
    [
      'SELECT device FROM telemetry WHERE time > now() - INTERVAL 1 HOUR AND time < current_timestamp AND time::DATE <= current_date',
    ],
    ['SELECT count(DISTINCT device), grouping(device), device FROM telemetry GROUP BY GROUPING SETS ((device), ())'],
    ['SELECT * FROM telemetry USING SAMPLE 10%'],
    ['SELECT x FROM (SELECT unnest(tags) AS x FROM devices)'],
    ["SELECT value FROM telemetry WHERE EXISTS (SELECT 1 FROM devices WHERE id = device AND 'a' = ANY(tags))"],
    [
      "SELECT substring(device FROM 1 FOR 2), position('m' IN device), trim(BOTH ' ' FROM device), device || 'x', device[1:2], overlay FROM (SELECT device, 1 AS overlay FROM telemetry)",
    ],
    ["SELECT sum(value) FILTER (WHERE metric = 'm'), arg_max(value, time), first(value ORDER BY time) FROM telemetry"],
    ['SELECT \'a;b\', "device" /* ; */ FROM telemetry -- the end;'],
    ["SELECT list_aggregate([1, 2], 'sum'), list_reduce([1, 2], (a, b) -> a + b), apply([1], lambda x: x + 1)"],
  ])('%s', async (query) => {
    await expect(sql.query(query)).resolves.toBeDefined();
  });
});
