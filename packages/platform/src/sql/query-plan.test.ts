import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { literal, openEngine } from '../columnar/engine.ts';
import { planQuery } from './query-plan.ts';
import type { TablePart } from './sql-calls.ts';

type Engine = Awaited<ReturnType<typeof openEngine>>;
let engine: Engine;
let data: Engine;
beforeAll(async () => {
  const limits = { memoryBytes: 2 ** 28, threads: 1, scratchDir: undefined, maxScratchBytes: 0 };
  engine = await openEngine(limits);
  data = await openEngine(limits);
  for (const { connection } of [engine, data]) await connection.run("SET TimeZone = 'UTC'");
  await engine.connection.run('SET errors_as_json = true');
});
afterAll(() => {
  for (const { connection, instance } of [engine, data]) {
    connection.closeSync();
    instance.closeSync();
  }
});

const plan = async (where: string): Promise<readonly TablePart[]> =>
  (await planQuery(engine.connection, `SELECT device FROM telemetry WHERE ${where}`)).telemetry;
const HOUR = 3_600_000;
const T0 = Date.UTC(2026, 10, 22);
const ALL = { fromMs: -Infinity, toMs: Infinity };

test.each<[string, Partial<TablePart>]>([
  ['true', ALL],
  ["device = 'a'", { ...ALL, devices: ['a'] }],
  ["device IN ('a', 'b') AND metric = 'm'", { ...ALL, devices: ['a', 'b'], metrics: ['m'] }],
  ["device = 'a' OR device = 'it''s, OR x=''y'''", { ...ALL, devices: ['a', "it's, OR x='y'"] }],
  ["device = 'a' AND device IN ('a', 'b')", { ...ALL, devices: ['a'] }],
  ["device_type = 'meter'", { ...ALL, deviceTypes: ['meter'] }],
  ["time >= '2026-11-22' AND time < '2026-11-22 01:00:00'", { fromMs: T0, toMs: T0 + HOUR }],
  ["time > '2026-11-22' AND time <= '2026-11-22 01:00:00'", { fromMs: T0 + 1, toMs: T0 + HOUR + 1 }],
  ["time >= '2026-11-22 00:00:00.0005' AND time < '2026-11-22 00:00:00.9995'", { fromMs: T0 + 1, toMs: T0 + 1000 }],
  ["time = '2026-11-22'", { fromMs: T0, toMs: T0 + 1 }],
  ["time::DATE = '2026-11-22'", { fromMs: T0, toMs: T0 + 24 * HOUR }],
  ["date_trunc('hour', time) = '2026-11-22 05:00:00'", { fromMs: T0 + 5 * HOUR, toMs: T0 + 6 * HOUR }],
  [
    "time >= TIMESTAMPTZ '2026-11-22 02:00:00+02' AND time < TIMESTAMPTZ '2026-11-22 03:00:00+02'",
    { fromMs: T0, toMs: T0 + HOUR + 1 },
  ],
  [
    "time < TIMESTAMPTZ '2026-11-22 03:00:00+02' OR time = TIMESTAMPTZ '2026-11-22 04:00:00+02'",
    { fromMs: -Infinity, toMs: T0 + 2 * HOUR + 1 },
  ],
  ["time >= TIMESTAMP '2026-11-22' + INTERVAL 1 HOUR", { fromMs: T0 + HOUR, toMs: Infinity }],
  // What is not understood bounds nothing.
  ["device LIKE 'a%' AND upper(metric) = 'M' AND value > 3", ALL],
  ["device = 'line\nbreak'", ALL],
  ["device = 'a\nmetric=''b''' AND time > '2026-11-22'", ALL],
])('Of %s only that is read', async (where, part) => {
  expect(await plan(where)).toEqual([part]);
});

test('The last hour is the hour before the moment at which the query runs', async () => {
  const before = Date.now();
  const [part] = await plan("time > now() - INTERVAL 1 HOUR AND time <= now() AND device = 'a'");
  expect([part!.fromMs >= before - HOUR, part!.fromMs <= Date.now() - HOUR + 1, part!.toMs <= Date.now() + 1]).toEqual([
    true,
    true,
    true,
  ]);
});

test('Long lists and long texts are understood too', async () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `device-${i}`);
  expect((await plan(`device IN (${names.map(literal).join()})`))[0]?.devices).toEqual(names);
  expect(await plan(`metric = '${'x'.repeat(20_000)}'`)).toEqual([{ ...ALL, metrics: ['x'.repeat(20_000)] }]);
});

test('A table that is not read has no parts, one that is read several times has several, and many are one', async () => {
  const of = async (sql: string): ReturnType<typeof planQuery> => await planQuery(engine.connection, sql);
  expect(await of('SELECT 1')).toEqual({ telemetry: [], hours: [], days: [], devices: undefined, needsTypes: false });
  expect(await of("SELECT device FROM telemetry WHERE 1 = 2 AND device = 'a'")).toMatchObject({ telemetry: [] });
  expect(await of("SELECT device FROM telemetry WHERE time > '2026-11-22' AND time < '2026-11-21'")).toMatchObject({
    telemetry: [],
  });
  const two =
    await of(`SELECT a.value FROM telemetry a JOIN telemetry_1h b ON a.device = b.device JOIN devices d ON d.id = a.device
    WHERE a.metric = 'x' AND b.metric = 'y' AND d."group" = '/g' AND a.device_type = 'm'`);
  expect(two).toMatchObject({
    telemetry: [{ metrics: ['x'], deviceTypes: ['m'] }],
    hours: [{ metrics: ['y'] }],
    days: [],
    devices: { group: '/g' },
    needsTypes: true,
  });
  const many = Array.from({ length: 12 }, (_, i) => `SELECT device FROM telemetry WHERE device = 'd${i}' AND metric = 'm'`);
  const [all, ...none] = (await of(many.join(' UNION ALL '))).telemetry;
  expect([all!.devices?.length, all!.metrics, none]).toEqual([12, ['m'], []]);
  expect(await of("SELECT id FROM devices WHERE id IN ('a', 'b')")).toMatchObject({ devices: { ids: ['a', 'b'] } });
});

const NAMES = ['a', 'b', "it's", "' OR ''='", 'x\ny', "x\ndevice='a", "a AND time>'2030-01-01'", '', 'ä', '(a)', "\ndevice=''\n"];
const TIMES = [0, 1, 999, 1000, HOUR - 1, HOUR, 25 * HOUR, -1].map((ms) => T0 + ms);
const name = fc.constantFrom(...NAMES).map(literal);
const instant = fc
  .tuple(fc.constantFrom(...TIMES), fc.constantFrom('', '500', '999'), fc.constantFrom('TIMESTAMP', 'TIMESTAMPTZ'))
  .map(
    ([ms, micros, type]) =>
      `${type} '${new Date(ms).toISOString().slice(0, -1).replace('T', ' ')}${micros}${type === 'TIMESTAMP' ? '' : '+00'}'`,
  );
const operator = fc.constantFrom('=', '<', '<=', '>', '>=', '<>');
const { predicate } = fc.letrec<{ predicate: string }>((tie) => ({
  predicate: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(fc.constantFrom('device', 'metric'), operator, name).map((parts) => parts.join(' ')),
    fc
      .tuple(fc.constantFrom('device', 'metric'), fc.constantFrom('IN', 'NOT IN'), fc.array(name, { minLength: 1, maxLength: 4 }))
      .map(([column, how, names]) => `${column} ${how} (${names.join(', ')})`),
    fc.tuple(operator, instant).map(([how, time]) => `time ${how} ${time}`),
    fc.tuple(instant, instant).map(([from, to]) => `time BETWEEN ${from} AND ${to}`),
    fc
      .tuple(fc.constantFrom('hour', 'day'), operator, instant)
      .map(([unit, how, time]) => `date_trunc('${unit}', time) ${how} ${time}`),
    fc.constantFrom("device LIKE 'a%'", 'length(metric) > 1', 'value > 2', 'device = metric', "device || '' = 'a'"),
    fc
      .tuple(fc.constantFrom('AND', 'OR'), fc.array(tie('predicate'), { minLength: 2, maxLength: 3 }))
      .map(([how, terms]) => `(${terms.join(` ${how} `)})`),
    tie('predicate').map((term) => `NOT (${term})`),
  ),
}));

test('No row that a query asks for is outside of what is read for it', async () => {
  const rows = NAMES.flatMap((device) =>
    ['a', 'x\ny'].flatMap((metric) => TIMES.map((ms, i) => ({ device, metric, ms, value: i }))),
  );
  await data.connection.run('CREATE TABLE telemetry (device VARCHAR, metric VARCHAR, time TIMESTAMP, value DOUBLE)');
  const values = rows.map(
    ({ device, metric, ms, value }) => `(${literal(device)}, ${literal(metric)}, epoch_ms(${ms}), ${value})`,
  );
  await data.connection.run(`INSERT INTO telemetry VALUES ${values.join(', ')}`);
  let pruned = 0;
  await fc.assert(
    fc.asyncProperty(predicate, async (where) => {
      const parts = await plan(where);
      const found = await data.connection.runAndReadAll(
        `SELECT device, metric, epoch_ms(time)::DOUBLE FROM telemetry WHERE ${where}`,
      );
      for (const [device, metric, ms] of found.getRows() as unknown as [string, string, number][]) {
        const isRead = parts.some(
          (part) =>
            ms >= part.fromMs &&
            ms < part.toMs &&
            part.devices?.includes(device) !== false &&
            part.metrics?.includes(metric) !== false,
        );
        expect([where, device, metric, ms, isRead]).toEqual([where, device, metric, ms, true]);
      }
      const [part] = parts;
      if (part === undefined || part.devices !== undefined || part.metrics !== undefined || part.fromMs > -Infinity) pruned++;
    }),
    { numRuns: 300 },
  );
  expect(pruned).toBeGreaterThan(50);
});
