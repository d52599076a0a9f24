import { afterAll, beforeAll, expect, test } from 'vitest';
import { tableFromIPC } from 'apache-arrow';
import { systemActor } from '../audit/actor.ts';
import { parquetForTests } from '../archive/archive.fixture.ts';
import { SqlFixture } from './sql.fixture.ts';

const parquet = parquetForTests();
let sql: SqlFixture;
beforeAll(async () => {
  sql = await SqlFixture.open(parquet);
  await sql.registry.types.create({ name: 'meter' }, systemActor('test'));
  await sql.registry.devices.create({
    id: 'a' as never,
    type: 'meter',
    group: '/acme/x',
    tags: ['t1', 't2'],
    attributes: { floor: 2 },
  });
  await sql.registry.devices.create({ id: 'b' as never, group: '/acme/y', name: "B's" });
  sql.archive.types.types.set('a', 'meter');
  sql.archive.points(
    ['a', 'temp', 0, 1],
    ['a', 'temp', 1, 2],
    ['a', 'temp', 90, 3],
    ['b', 'temp', 1, 10],
    ['b', 'door', 2, 'open'],
  );
  sql.hotPoints(['b', 'door', 3, true], ['b', 'temp', 2, 20.5]);
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await parquet[Symbol.asyncDispose]();
});

test('Points of day files and of the memory are one table', async () => {
  const { data, columns } = await sql.query(
    `SELECT device, metric, (epoch_ms(time) - ${sql.today}) / 60000 AS minute, value, text, flag, device_type FROM telemetry ORDER BY 1, 2, 3`,
  );
  expect(data).toEqual([
    ['a', 'temp', 0, 1, null, null, 'meter'],
    ['a', 'temp', 1, 2, null, null, 'meter'],
    ['a', 'temp', 90, 3, null, null, 'meter'],
    ['b', 'door', 2, null, 'open', null, null],
    ['b', 'door', 3, null, null, true, null],
    ['b', 'temp', 1, 10, null, null, null],
    ['b', 'temp', 2, 20.5, null, null, null],
  ]);
  expect(columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'device VARCHAR',
    'metric VARCHAR',
    'minute DOUBLE',
    'value DOUBLE',
    'text VARCHAR',
    'flag BOOLEAN',
    'device_type VARCHAR',
  ]);
});

test('Telemetry is joined with the devices of the registry', async () => {
  expect(
    await sql.rows(`SELECT d."group", d.tags, d.attributes->'floor', count(*), avg(value) FROM telemetry t JOIN devices d ON d.id = t.device
      WHERE metric = 'temp' GROUP BY ALL ORDER BY 1`),
  ).toEqual([
    ['/acme/x', ['t1', 't2'], '2', 3, 2],
    ['/acme/y', [], null, 2, 15.25],
  ]);
  expect(await sql.rows(`SELECT id, name, type, created_at FROM devices WHERE id IN ('b', 'nobody')`)).toEqual([
    ['b', "B's", null, '1970-01-01T00:00:01Z'],
  ]);
  expect(await sql.rows(`SELECT id FROM devices WHERE "group" = '/acme/x'`)).toEqual([['a']]);
});

test('A query over one device and an hour reads only that', async () => {
  const hour = `time >= ${sql.at(0)} AND time < ${sql.at(60)}`;
  const one = await sql.query(`SELECT count(*) FROM telemetry WHERE device = 'a' AND ${hour}`);
  expect([one.data, one.statistics]).toMatchObject([
    [[2]],
    { fromMs: sql.today, toMs: sql.today + 3_600_000, devices: 1, storedPoints: 3, hotPoints: 0 },
  ]);
  const other = await sql.query(
    `WITH x AS (FROM telemetry) SELECT count(*) FROM x WHERE device IN ('b', 'c') AND metric = 'door' AND ${hour}`,
  );
  expect([other.data, other.statistics]).toMatchObject([[[2]], { devices: 2, storedPoints: 1, hotPoints: 1 }]);
  const later = await sql.query(`SELECT count(*) FROM telemetry WHERE time >= ${sql.at(24 * 60)}`);
  expect([later.data, later.statistics]).toMatchObject([[[0]], { storedPoints: 0, hotPoints: 0 }]);
  const none = await sql.query('SELECT 1');
  expect([none.data, none.statistics]).toMatchObject([[[1]], { storedPoints: 0, hotPoints: 0, archiveFiles: 0 }]);
});

test.each([
  "SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'meter'",
  "SELECT count(*) FROM telemetry WHERE device IN (SELECT id FROM devices WHERE type = 'meter')",
  "WITH tagged AS (SELECT id FROM devices WHERE tags @> ['t1']) SELECT count(*) FROM tagged t JOIN telemetry ON t.id = device",
])('Of devices that a join leaves out nothing is read: %s', async (query) => {
  const { data, statistics } = await sql.query(query);
  expect([data, statistics]).toMatchObject([[[3]], { devices: 1, storedPoints: 3, hotPoints: 0 }]);
});

test('A condition that fails for a device is the fault of the query, told as such', async () => {
  const query = 'SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.name::INT = 3';
  await expect(sql.rows(query)).rejects.toMatchObject({ code: 'sql.failed', message: expect.stringContaining("'B's'") });
  expect(await sql.rows(query.replace('d.name::INT', 'TRY_CAST(d.name AS INT)'))).toEqual([[0]]);
});

test('Hours and days are tables, with what is not rolled up yet', async () => {
  expect(
    await sql.rows(`SELECT device, metric, (epoch_ms(time) - ${sql.today}) // 3600000, count, min, max, sum, mean, first, last, first_text, last_text, device_type
      FROM telemetry_1h ORDER BY 1, 2, 3`),
  ).toEqual([
    ['a', 'temp', 0, 2, 1, 2, 3, 1.5, 1, 2, null, null, 'meter'],
    ['a', 'temp', 1, 1, 3, 3, 3, 3, 3, 3, null, null, 'meter'],
    ['b', 'door', 0, 2, 1, 1, 1, 1, null, 1, 'open', null, null],
    ['b', 'temp', 0, 2, 10, 20.5, 30.5, 15.25, 10, 20.5, null, null, null],
  ]);
  expect(await sql.rows(`SELECT device, time, count, mean FROM telemetry_1d WHERE metric = 'temp' ORDER BY 1`)).toEqual([
    ['a', new Date(sql.today).toISOString().replace('.000', ''), 3, 2],
    ['b', new Date(sql.today).toISOString().replace('.000', ''), 2, 15.25],
  ]);
  expect(await sql.rows(`SELECT count(*) FROM telemetry_1h WHERE time > ${sql.at(0)} AND device = 'a'`)).toEqual([[1]]);
});

test('CSV, Arrow and Parquet say the same as JSON', async () => {
  const query = `SELECT device, time, value, flag, count(*) OVER () AS n, time::DATE AS day FROM telemetry WHERE device = 'b' ORDER BY time, metric; `;
  const csv = (await sql.bytes(query, { format: 'csv' })).toString().split('\n');
  expect([csv[0], csv.length]).toEqual(['device,time,value,flag,n,day', 6]);
  const json = await sql.rows(query);
  const table = tableFromIPC(await sql.bytes(query, { format: 'arrow' }));
  expect(table.numRows).toBe(4);
  expect([...table].map((row) => [row['device'], row['value'], row['flag'], Number(row['n'])])).toEqual(
    json.map(([device, , value, flag, n]) => [device, value, flag, n]),
  );
  expect(String(table.schema.fields[1])).toBe('time: Timestamp<MICROSECOND>');
  const file = await sql.bytes(query, { format: 'parquet' });
  expect([file.subarray(0, 4).toString(), file.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
});

test.each([
  ['SELECT nope FROM telemetry', 'sql.invalid', 1, 8],
  ['SELECT device\nFROM telemetry\n  WHER device = 1', 'sql.invalid', 3, 8],
  ["SELECT 'ä€😀', nope FROM telemetry", 'sql.invalid', 1, 16],
  ['SELECT 1 +', 'sql.invalid', 1, 11],
  ['SELECT * FROM nothing', 'sql.refused', 1, 15],
  ["SELECT CAST(device AS INT) FROM telemetry WHERE device = 'a'", 'sql.failed', undefined, undefined],
])('What is wrong with %s is told with its place', async (text, code, line, column) => {
  const error: { code: string; message: string; details: Record<string, unknown> } = await sql.rows(text).then(
    () => expect.fail('it ran'),
    (thrown) => thrown,
  );
  expect([error.code, error.details['line'], error.details['column']]).toEqual([
    code,
    ...(line === undefined ? [expect.anything(), expect.anything()] : [line, column]),
  ]);
  expect(error.message).not.toContain('{');
});
