import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { AT_ONCE, type ArchiveFixture, parquetForTests } from '../archive/archive.fixture.ts';
import { readDayState } from '../archive/day-state.ts';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { DAY_MS, dayFilePath, HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { PointValue } from '../telemetry/telemetry-queries.ts';
import { SqlFixture } from './sql.fixture.ts';

type Command =
  | { readonly do: 'append'; readonly points: readonly Point[] }
  | { readonly do: 'seal' | 'archive' | 'roll-up' | 'compact' }
  | { readonly do: 'drop' | 'erase'; readonly which: number }
  | { readonly do: 'ask'; readonly device: number; readonly metric: number; readonly fromHour: number; readonly hours: number };
interface Point {
  readonly device: number;
  readonly metric: number;
  /** Of the day that has just ended, or of days before. */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly value: PointValue;
}

const DEVICES = ['d0', 'd1', 'd2'];
const METRICS = ['a', 'b'];
const DAYS = [0, -1, -40];

const point: fc.Arbitrary<Point> = fc.record({
  device: fc.nat(2),
  metric: fc.nat(1),
  day: fc.nat(2),
  hour: fc.constantFrom(0, 1, 23),
  // Few, so that many are equal.
  minute: fc.constantFrom(0, 1, 59),
  value: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8) },
    { weight: 1, arbitrary: fc.boolean() },
    { weight: 1, arbitrary: fc.constantFrom('on', "it's") },
  ),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), points: fc.array(point, { minLength: 1, maxLength: 8 }) }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constantFrom('seal', 'archive', 'archive', 'roll-up', 'compact') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), which: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('erase' as const), which: fc.nat(2) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      device: fc.nat(2),
      metric: fc.nat(1),
      fromHour: fc.constantFrom(-960, -24, -1, 0, 1, 23),
      hours: fc.constantFrom(1, 2, 24, 1000),
    }),
  },
);

/** How many runs let raw points go. */
let drops = 0;
const RUNS = Number(process.env['SELSYN_MODEL_RUNS'] ?? 5);
const parquet: ParquetFiles & AsyncDisposable = parquetForTests();
afterAll(async () => await parquet[Symbol.asyncDispose]());

test(
  'Whatever is in memory, in day files, in the archive or in several of them: SQL sees each point once, as it was written last',
  { timeout: 180_000 + RUNS * 5_000 },
  async () => {
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 6, maxLength: 24, size: 'max' }), fc.boolean(), run), {
      numRuns: RUNS,
    });
    expect(drops).toBeGreaterThan(0);
  },
);

async function run(commands: readonly Command[], joins: boolean): Promise<void> {
  const change = (archive: ArchiveFixture): void => void (archive.times = { ...AT_ONCE, joinAfterMs: joins ? 0 : Infinity });
  await using sql = await SqlFixture.open(parquet, { change });
  const model = new Map<string, PointValue>();
  let dropped = false;
  for (const command of commands) {
    dropped = (await apply(sql, model, command)) || dropped;
  }
  await check(sql, model, 'true', () => true);
  drops += dropped ? 1 : 0;
  if (!dropped) await checkHours(sql, model);
}

/** @returns whether raw points were dropped */
async function apply(sql: SqlFixture, model: Map<string, PointValue>, command: Command): Promise<boolean> {
  const { store, log } = sql.archive;
  switch (command.do) {
    case 'append':
      for (const { device, metric, day, hour, minute, value } of command.points) {
        const timeMs = sql.today + DAYS[day]! * DAY_MS + hour * HOUR_MS + minute * 60_000;
        model.set(`${DEVICES[device]} ${METRICS[metric]} ${timeMs}`, value);
        log.append(0, store.clock.now(), [[DEVICES[device]!, { ts: timeMs, [METRICS[metric]!]: value }]]);
      }
      store.consume();
      return false;
    case 'seal':
      store.writer.chunks.saveSeries();
      store.seal();
      return false;
    case 'archive':
      await sql.archive.pass(true);
      return false;
    case 'compact':
      store.compact();
      return false;
    case 'roll-up':
      settle(sql);
      return false;
    case 'drop':
      settle(sql);
      await sql.archive.pass(true);
      return drop(sql, Math.floor(sql.today / DAY_MS) + DAYS[command.which]!);
    case 'erase': {
      const device = DEVICES[command.which]!;
      await sql.archive.erasures.begin({ device, requestedBy: 'test', reason: 'requested' });
      for (const key of model.keys()) if (key.startsWith(`${device} `)) model.delete(key);
      return false;
    }
    case 'ask': {
      const [device, metric] = [DEVICES[command.device]!, METRICS[command.metric]!];
      const [fromMs, toMs] = [sql.today + command.fromHour * HOUR_MS, sql.today + (command.fromHour + command.hours) * HOUR_MS];
      const where = `device = '${device}' AND metric = '${metric}' AND time >= epoch_ms(${fromMs}) AND time < epoch_ms(${toMs})`;
      await check(sql, model, where, (d, m, timeMs) => d === device && m === metric && timeMs >= fromMs && timeMs < toMs);
      return false;
    }
  }
}

function settle(sql: SqlFixture): void {
  const { writer, clock } = sql.archive.store;
  const { store } = sql.archive;
  store.consume();
  writer.chunks.saveSeries();
  store.seal();
  store.saveLowWater();
  for (let round = 0; round < 50 && writer.unrolled.all.length > 0; round++) {
    clock.advance(70_000);
    while (writer.rollups.step());
  }
  store.saveLowWater();
}

/** As retention does with what is archived. @returns whether it was let go */
function drop({ archive }: SqlFixture, day: number): boolean {
  const { upkeep } = archive.store.writer;
  const state = readDayState(dayFilePath(archive.store.dir, day), day);
  if (state === undefined) return false;
  return upkeep.calls.dropDay({ day, generation: state.fileGeneration, ifVersion: state.version }).done;
}

async function check(
  sql: SqlFixture,
  model: ReadonlyMap<string, PointValue>,
  where: string,
  wanted: (device: string, metric: string, timeMs: number) => boolean,
): Promise<void> {
  const found = await sql.rows(
    `SELECT device, metric, epoch_ms(time), value, text, flag FROM telemetry WHERE ${where} ORDER BY device, metric, time`,
  );
  const expected = [...model]
    .map(([key, value]) => [...key.split(' '), value] as [string, string, string, PointValue])
    .filter(([device, metric, timeMs]) => wanted(device, metric, Number(timeMs)))
    .map(([device, metric, timeMs, value]) => [
      device,
      metric,
      Number(timeMs),
      typeof value === 'number' ? value : null,
      typeof value === 'string' ? value : null,
      typeof value === 'boolean' ? value : null,
    ]);
  expect(found).toEqual(
    expected.sort((a, b) =>
      `${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : a[0] === b[0] && a[1] === b[1] ? Number(a[2]) - Number(b[2]) : 1,
    ),
  );
}

async function checkHours(sql: SqlFixture, model: ReadonlyMap<string, PointValue>): Promise<void> {
  const hours = new Map<string, { count: number; sum: number; numbers: number }>();
  for (const [key, value] of model) {
    const [device, metric, timeMs] = key.split(' ') as [string, string, string];
    const hour = `${device} ${metric} ${Math.floor(Number(timeMs) / HOUR_MS)}`;
    const known = hours.get(hour) ?? { count: 0, sum: 0, numbers: 0 };
    hours.set(hour, known);
    known.count++;
    if (typeof value === 'string') continue;
    known.numbers++;
    known.sum += Number(value);
  }
  const expected = [...hours].map(([hour, { count, sum, numbers }]) => [hour, count, numbers === 0 ? null : sum]);
  const found = await sql.rows(
    `SELECT device || ' ' || metric || ' ' || (epoch_ms(time) // ${HOUR_MS}), count, sum FROM telemetry_1h`,
  );
  const inOrder = (rows: readonly (readonly unknown[])[]): unknown[] =>
    rows.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  expect(inOrder(found)).toEqual(inOrder(expected));
  const days = await sql.rows('SELECT sum(count) FROM telemetry_1d');
  expect(days).toEqual([[model.size === 0 ? null : model.size]]);
}
