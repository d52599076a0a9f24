import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { literal, openEngine } from '../columnar/engine.ts';
import { narrowPlan } from './narrow-plan.ts';
import { planQuery } from './query-plan.ts';
import { TABLE_COLUMNS } from './table-columns.ts';

type Engine = Awaited<ReturnType<typeof openEngine>>;
let engine: Engine;
/** What the query would be read from. */
let data: Engine;

interface Row {
  readonly id: string;
  readonly type: string | null;
  readonly group: string;
  readonly name: string | null;
}
const DEVICES: readonly Row[] = [
  { id: 'p1', type: 'pump', group: '/a', name: 'One' },
  { id: 'p2', type: 'pump', group: '/b', name: "it's" },
  { id: 'm1', type: 'meter', group: '/a', name: null },
  { id: 'm2', type: 'meter', group: '/b', name: '7' },
  { id: 'x', type: null, group: '/', name: 'temp' },
];
const IDS = [...DEVICES.map(({ id }) => id), 'unknown'];

beforeAll(async () => {
  const limits = { memoryBytes: 2 ** 28, threads: 1, scratchDir: undefined, maxScratchBytes: 0 };
  engine = await openEngine(limits);
  data = await openEngine(limits);
  const value = (text: string | null): string => (text === null ? 'NULL' : literal(text));
  const rows = DEVICES.map(
    ({ id, type, group, name }) =>
      `(${literal(id)}, ${value(name)}, ${value(type)}, ${literal(group)}, [], '{}', TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01')`,
  );
  for (const { connection } of [engine, data]) {
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run(`CREATE TABLE devices (${TABLE_COLUMNS.devices})`);
    await connection.run(`INSERT INTO devices VALUES ${rows.join()}`);
  }
  await engine.connection.run('SET errors_as_json = true');
  const points = IDS.flatMap((id, i) =>
    ['temp', 'p1'].flatMap((metric) =>
      [0, 1].map((hour) => `(${literal(id)}, ${literal(metric)}, TIMESTAMP '2026-11-22 0${hour}:00:00', ${i}, NULL, NULL, NULL)`),
    ),
  );
  await data.connection.run(`CREATE TABLE telemetry_all (${TABLE_COLUMNS.telemetry})`);
  await data.connection.run(`INSERT INTO telemetry_all VALUES ${points.join()}`);
});
afterAll(() => {
  for (const { connection, instance } of [engine, data]) {
    connection.closeSync();
    instance.closeSync();
  }
});

/** Undefined: all; null: the transaction ended. */
async function devicesRead(sql: string): Promise<readonly string[] | undefined | null> {
  const { connection } = engine;
  await connection.run('BEGIN');
  try {
    const plan = await narrowPlan(connection, sql, await planQuery(connection, sql));
    if (plan === undefined) return null;
    const parts = plan.telemetry;
    if (parts.some(({ devices }) => devices === undefined)) return undefined;
    return [...new Set(parts.flatMap(({ devices }) => [...devices!]))].sort();
  } finally {
    await connection.run('ROLLBACK');
  }
}

const T = "t.time > TIMESTAMP '2026-11-22' - INTERVAL 1 HOUR";

describe('Of telemetry that is joined with devices, that of these devices alone is read', () => {
  test.each([
    [`SELECT avg(value) FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'pump' AND ${T}`, ['p1', 'p2']],
    [`SELECT avg(value) FROM devices d JOIN telemetry t ON d.id = t.device AND type = 'pump' AND "group" = '/a'`, ['p1']],
    [`SELECT avg(value) FROM telemetry t, devices d WHERE id = device AND type = 'meter' AND ${T}`, ['m1', 'm2']],
    ["SELECT avg(value) FROM telemetry JOIN devices ON id = device WHERE devices.name ILIKE 'o%'", ['p1']],
    ["SELECT * FROM telemetry WHERE device IN (SELECT id FROM devices WHERE type = 'pump')", ['p1', 'p2']],
    ["SELECT * FROM telemetry WHERE device = (SELECT id FROM devices WHERE name = 'it''s')", ['p2']],
    ["SELECT * FROM telemetry t WHERE EXISTS (SELECT 1 FROM devices d WHERE d.id = t.device AND d.type = 'pump')", ['p1', 'p2']],
    [
      `WITH pumps AS (SELECT id FROM devices WHERE type = 'pump') SELECT avg(value) FROM telemetry t JOIN pumps p ON p.id = t.device`,
      ['p1', 'p2'],
    ],
    [
      `WITH recent AS (SELECT device, max(value) AS m FROM telemetry t WHERE ${T} GROUP BY device)
        SELECT d.name, m FROM recent r JOIN devices d ON d.id = r.device WHERE d."group" = '/b'`,
      ['m2', 'p2'],
    ],
    [
      `SELECT d.id, count(t.value) FROM devices d LEFT JOIN telemetry t ON t.device = d.id AND ${T} WHERE d.type = 'pump' GROUP BY d.id`,
      ['p1', 'p2'],
    ],
    [
      "SELECT avg(value) FROM telemetry t JOIN (SELECT id, type FROM devices) d ON d.id = t.device WHERE d.type = 'pump'",
      ['p1', 'p2'],
    ],
    ["SELECT avg(value) FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'nothing'", ['']],
    // What is asked for first has such a list of its own.
    [
      `WITH pumps AS (SELECT * FROM devices WHERE id IN (SELECT id FROM devices WHERE type = 'pump'))
        SELECT avg(value) FROM telemetry t JOIN pumps p ON p.id = t.device`,
      ['p1', 'p2'],
    ],
    [
      `WITH pumps AS (SELECT a.id FROM devices a JOIN devices b ON a.id = b.id WHERE b.type = 'pump')
        SELECT avg(value) FROM telemetry WHERE device IN (SELECT id FROM pumps)`,
      ['p1', 'p2'],
    ],
    ["SELECT * FROM telemetry t WHERE EXISTS (SELECT * FROM devices WHERE type = 'pump' AND id = t.device)", ['p1', 'p2']],
    // Where the first of them is read there is no other `devices` yet.
    [
      `WITH x AS (SELECT value FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'pump'),
        devices AS (SELECT id, 'pump' AS type FROM devices WHERE id = 'm1') SELECT * FROM x, devices`,
      ['p1', 'p2'],
    ],
    [
      `SELECT device, value FROM telemetry WHERE device IN (SELECT id FROM devices WHERE type = 'pump') AND metric = 'temp'
        UNION ALL SELECT device, value FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.name = 'temp' ORDER BY 1`,
      ['p1', 'p2', 'x'],
    ],
  ])('%s', async (sql, devices) => {
    expect(await devicesRead(sql)).toEqual(devices);
  });
});

describe('All is read where that would not be the same', () => {
  test.each([
    "SELECT * FROM telemetry t LEFT JOIN devices d ON d.id = t.device AND d.type = 'pump'",
    "SELECT * FROM telemetry t FULL JOIN devices d ON d.id = t.device WHERE d.type = 'pump' OR t.value > 1",
    "SELECT * FROM telemetry t ANTI JOIN devices d ON d.id = t.device AND d.type = 'pump'",
    "SELECT * FROM telemetry WHERE device NOT IN (SELECT id FROM devices WHERE type = 'pump')",
    "SELECT * FROM telemetry WHERE device IN (SELECT id FROM devices WHERE type = 'pump') OR value > 1",
    "SELECT * FROM telemetry t JOIN devices d ON d.id <> t.device WHERE d.type = 'pump'",
    // Which it takes is not known before.
    'SELECT * FROM telemetry WHERE device IN (SELECT id FROM devices LIMIT 2)',
    'SELECT * FROM telemetry WHERE device IN (SELECT id FROM devices WHERE random() < 0.5)',
    // Of no rows there is one count.
    "SELECT * FROM telemetry t WHERE EXISTS (SELECT count(*) FROM devices d WHERE d.id = t.device AND d.type = 'pump')",
    "SELECT * FROM telemetry t WHERE EXISTS (SELECT 1 FROM devices d WHERE d.id = t.device AND d.type = 'pump' GROUP BY ())",
    // Of other devices the telemetry says more.
    'SELECT * FROM telemetry WHERE device IN (SELECT id FROM devices WHERE type IN (SELECT text FROM telemetry))',
    "SELECT * FROM telemetry t WHERE device IN (SELECT id FROM devices d WHERE d.name = t.metric AND d.type = 'pump')",
    "SELECT * FROM telemetry t JOIN devices d ON d.id = t.device COLLATE NOCASE WHERE d.type = 'pump'",
    // `device` is a metric.
    "SELECT * FROM (SELECT metric AS device FROM telemetry) t JOIN devices d ON d.id = t.device WHERE d.type = 'pump'",
    "SELECT * FROM telemetry a JOIN devices d ON d.id = a.metric WHERE d.type = 'pump'",
    "WITH devices AS (SELECT device AS id, 'pump' AS type FROM telemetry) SELECT * FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.type = 'pump'",
    // One of the two.
    "SELECT * FROM telemetry t JOIN devices d ON d.id = t.device, telemetry other WHERE d.type = 'pump'",
  ])('%s', async (sql) => {
    expect(await devicesRead(sql)).toBeUndefined();
  });
});

test('A device that is called like the place of a list stands for itself', async () => {
  const { connection } = engine;
  await connection.run(`UPDATE devices SET name = 'selsyn: values of 1;' WHERE id = 'p1'`);
  const sql = `SELECT * FROM telemetry WHERE device IN (SELECT name FROM devices WHERE type = 'pump')
    AND metric IN (SELECT id FROM devices WHERE type = 'meter')`;
  try {
    expect(await devicesRead(sql)).toEqual(["it's", 'selsyn: values of 1;']);
  } finally {
    await connection.run(`UPDATE devices SET name = 'One' WHERE id = 'p1'`);
  }
});

test('A condition that cannot be evaluated for every device leaves the query as it is', async () => {
  const sql = 'SELECT * FROM telemetry t JOIN devices d ON d.id = t.device WHERE d.name::INT = 7 AND t.device = d.id';
  expect(await devicesRead(sql)).toBeNull();
});

const column = fc.constantFrom('t.device', 'device', 't.metric');
const text = fc.constantFrom('p1', 'm2', 'x', 'pump', 'meter', '/a', 'temp', '');
const condition = fc.oneof(
  fc
    .tuple(fc.constantFrom('d.id', 'id', 'd.type', 'type', 'd.name', '"group"'), fc.constantFrom('=', '<>', '>='), text)
    .map(([name, how, value]) => `${name} ${how} '${value}'`),
  fc.constantFrom(
    'd.type IS NULL',
    'd.name IS NOT NULL',
    "d.id LIKE 'p%'",
    'length(d.name) > 2',
    'd.name = metric',
    'd.id = t.metric',
  ),
  fc.tuple(column, text).map(([name, value]) => `${name} = '${value}'`),
  fc.constantFrom('t.value > 2', "t.time > TIMESTAMP '2026-11-22 00:30:00'", 'random() >= 0'),
);
const conditions = fc.array(
  fc.oneof(
    condition,
    fc.tuple(condition, condition).map(([a, b]) => `(${a} OR ${b})`),
    condition.map((term) => `NOT (${term})`),
  ),
  { maxLength: 3 },
);
const source = fc.constantFrom(
  'devices d',
  '(SELECT * FROM devices) d',
  "(SELECT * FROM devices WHERE type <> 'meter') d",
  'named d',
  'near d',
);
const telemetry = fc.constantFrom(
  'telemetry t',
  '(SELECT * FROM telemetry) t',
  '(SELECT metric AS device, device AS metric, time, value FROM telemetry) t',
  'moved t',
);
const query = fc
  .record({
    source,
    telemetry,
    join: fc.constantFrom('JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'SEMI JOIN', 'ANTI JOIN', 'FULL JOIN', ','),
    swap: fc.boolean(),
    on: fc.tuple(fc.constantFrom('d.id = t.device', 't.device = d.id', 'id = device', 'd.name = t.metric'), conditions),
    where: conditions,
    subquery: fc.option(fc.tuple(fc.constantFrom('IN', 'NOT IN', '=', 'EXISTS', 'EXISTS count'), conditions)),
  })
  .map(({ source: devices, telemetry: points, join, swap, on, where, subquery }) => {
    const [left, right] = swap ? [devices, points] : [points, devices];
    const equal = [on[0], ...on[1]].join(' AND ');
    const terms = [...where, ...(join === ',' ? [equal] : [])];
    // Of what is in the subquery d is another one.
    if (subquery) {
      const within = subquery[1].filter((term) => !/random/.test(term));
      const outer = swap && ['SEMI JOIN', 'ANTI JOIN'].includes(join) ? 'd.id' : 't.device';
      const [how] = subquery;
      const isExists = how.startsWith('EXISTS');
      if (isExists) within.push(`d.id = ${outer}`);
      const list = how === '=' ? 'max(id)' : how === 'EXISTS count' ? 'count(*)' : 'id';
      const inner = `SELECT ${list} FROM devices d${within.length === 0 ? '' : ` WHERE ${within.join(' AND ')}`}`;
      terms.push(isExists ? `EXISTS (${inner})` : `${outer} ${how} (${inner})`);
    }
    return `WITH named AS (FROM devices WHERE name IS NOT NULL), near AS (FROM devices WHERE id IN (SELECT id FROM named)),
      moved AS (SELECT * REPLACE (device || '' AS device) FROM telemetry)
      SELECT * FROM ${left} ${join} ${right}${join === ',' ? '' : ` ON ${equal}`}${terms.length === 0 ? '' : ` WHERE ${terms.join(' AND ')}`}`;
  });

test('What is not read would change no answer', async () => {
  const { connection } = data;
  let narrowed = 0;
  let run = 0;
  const answer = async (sql: string): Promise<string[] | undefined> =>
    await connection.runAndReadAll(sql).then(
      (rows) =>
        rows
          .getRowsJson()
          .map((row) => JSON.stringify(row))
          .sort(),
      () => undefined,
    );
  await fc.assert(
    fc.asyncProperty(query, async (sql) => {
      await connection.run('CREATE OR REPLACE VIEW telemetry AS FROM telemetry_all');
      const all = await answer(sql);
      // Names that are ambiguous, or of a table that a semi-join hides.
      if (all === undefined) return;
      run++;
      const devices = await devicesRead(sql);
      if (devices === undefined || devices === null) return;
      narrowed++;
      const some = devices.length === 0 ? 'false' : `device IN (${devices.map(literal).join()})`;
      await connection.run(`CREATE OR REPLACE VIEW telemetry AS FROM telemetry_all WHERE ${some}`);
      expect([sql, await answer(sql)]).toEqual([sql, all]);
    }),
    { numRuns: 400 },
  );
  expect(run).toBeGreaterThan(200);
  expect(narrowed).toBeGreaterThan(60);
});
