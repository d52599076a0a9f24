import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock } from '../../kernel/clock.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { localCaller } from '../../kernel/thread-channel.ts';
import { MAX_TIME_MS } from '../../kernel/time-text.ts';
import { openBuckets } from '../buckets.ts';
import { ZoneOffsets } from '../buckets-zone.ts';
import { DAY_MS, HOUR_MS, openDayFileForRead } from '../day-file-schema.ts';
import { FakeLog } from '../fake-log.ts';
import type { HotCalls } from '../hot-calls.ts';
import { StoreQueries } from '../query-store.ts';
import { SettledReads } from '../settled-reads.ts';
import { StoreHarness } from '../store-harness.ts';
import type { Interval, PointValue } from '../telemetry-queries.ts';
import { UpkeepStore } from '../upkeep-store.ts';
import { naiveBuckets, naiveRollups, readRollups } from './rollup-model.ts';
import { openRollupFileForRead } from './rollup-file.ts';

/** The clock begins on this day, a little after an hour has ended that is not rolled up yet. */
const TODAY = 20_717;
const START_MS = TODAY * DAY_MS + 12 * HOUR_MS + 5 * 60_000;
const DEVICES = ['d0', 'd1', 'd2'];
const WIDTHS: readonly (readonly [Interval, string])[] = [
  [{ ms: HOUR_MS }, 'UTC'],
  [{ ms: 5 * HOUR_MS }, 'UTC'],
  [{ calendar: 'day', count: 1 }, 'UTC'],
  [{ calendar: 'day', count: 1 }, 'America/New_York'],
  [{ calendar: 'month', count: 1 }, 'UTC'],
];
/** Weeks, months and years around which days are written. */
const DAYS = [TODAY, TODAY, TODAY, TODAY - 1, TODAY - 3, TODAY - 120];

type Command =
  | { readonly do: 'append'; readonly device: number; readonly samples: readonly Sample[] }
  | { readonly do: 'wait'; readonly minutes: number }
  | { readonly do: 'forget'; readonly device: number }
  | { readonly do: 'drop'; readonly day: number }
  | { readonly do: 'consume' | 'seal' | 'seal-some' | 'low-water' | 'low-water-slice' | 'roll-up' | 'roll-up-slice' }
  | { readonly do: 'compact' | 'erase' | 'kill' | 'power-loss' | 'settle' };

interface Sample {
  readonly at: number;
  readonly values: Readonly<Record<string, PointValue>>;
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom('on', 'off') },
);
const sample: fc.Arbitrary<Sample> = fc.record({
  // Few times, so that many are equal: the first and the last of hours and days.
  at: fc
    .tuple(fc.constantFrom(...DAYS), fc.constantFrom(0, 1, 10, 11, 23), fc.constantFrom(0, 1, HOUR_MS - 1))
    .map(([day, hour, ms]) => day * DAY_MS + (day === TODAY ? Math.min(hour, 11) : hour) * HOUR_MS + ms),
  values: fc.dictionary(fc.constantFrom('a', 'b'), value, { minKeys: 1, maxKeys: 2 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      device: fc.nat(2),
      samples: fc.array(sample, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 2, 70, 700) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), device: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), day: fc.constantFrom(...DAYS) }) },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constantFrom('consume', 'seal', 'seal-some', 'low-water', 'low-water-slice', 'roll-up', 'roll-up-slice'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('compact', 'erase', 'kill', 'power-loss', 'settle', 'settle') }) },
);

const RUNS = Number(process.env['SELSYN_MODEL_RUNS'] ?? 40);

test('hours and days equal a naive model, whatever happens in between', { timeout: 180_000 + RUNS * 1_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }), run), { numRuns: RUNS });
});

/** Of one series: the points that there are, and those of days that were dropped, drop by drop. */
interface ModelSeries {
  points: Map<number, PointValue>;
  readonly gone: Map<number, PointValue>[];
}
type Model = Map<string, Map<string, ModelSeries>>;

async function run(commands: readonly Command[]): Promise<void> {
  const log = new FakeLog(1);
  let ticks = 0;
  // Each look at the clock finds it later: so a slice ends after one series or two.
  const clock: Clock = {
    now: () => store.clock.now(),
    monotonicMs: () => store.clock.monotonicMs() + 3 * ticks++,
    after: (delayMs, task) => store.clock.after(delayMs, task),
  };
  using store = new StoreHarness(log, { clock });
  store.clock.step(START_MS - store.clock.now());
  await store.open();
  const model: Model = new Map();
  for (const each of commands) {
    await step(store, model, each);
    store.consume();
    check(store, model);
  }
  await checkQueries(store, model);
  store.clock.advance(DAY_MS);
  settle(store);
  await checkQueries(store, model);
  const rolled = check(store, model);
  // None of it comes from points any more.
  for (const [device, metrics] of model) {
    for (const [metric, { points, gone }] of metrics)
      expect(rolled.get(`${device} ${metric}`)).toBe(naiveRollups([...gone, points], HOUR_MS).length);
  }
  while (store.writer.eraser.busy) store.writer.eraser.step();
  const known = new Set([...store.writer.devices.all()].flatMap(({ series }) => series));
  expect(seriesInFiles(store).filter((series) => !known.has(series))).toEqual([]);
}

async function step(store: StoreHarness, model: Model, command_: Command): Promise<void> {
  const { writer } = store;
  switch (command_.do) {
    case 'append':
      append(store, model, command_);
      break;
    case 'wait':
      store.clock.advance(command_.minutes * 60_000);
      break;
    case 'forget':
      writer.forget(`d${command_.device}`, [store.log.end(0)]);
      model.delete(`d${command_.device}`);
      break;
    case 'drop':
      drop(store, model, command_.day);
      break;
    case 'consume':
      break;
    case 'seal':
      store.seal();
      break;
    case 'seal-some':
      writer.policy.all();
      writer.seal();
      break;
    case 'low-water':
      store.saveLowWater();
      break;
    case 'low-water-slice':
      if (!writer.lowWater.running) writer.beginLowWater();
      store.stepLowWater();
      break;
    case 'roll-up':
      rollUp(store);
      break;
    case 'roll-up-slice':
      writer.rollups.step();
      break;
    case 'compact':
      store.compact();
      break;
    case 'erase':
      writer.eraser.slice();
      break;
    case 'kill':
      await store.crash();
      break;
    case 'power-loss':
      await store.crash((file) => file.includes('days'));
      break;
    case 'settle':
      settle(store);
      break;
  }
}

function rollUp(store: StoreHarness): void {
  while (store.writer.rollups.step());
}

/** All that is in memory is stored, durable and, where it is over, rolled up. */
function settle(store: StoreHarness): void {
  store.seal();
  store.saveLowWater();
  store.clock.advance(2 * 60_000);
  // One pass that was begun before, and one for each day.
  for (let days = store.writer.files.count; days >= 0; days--) rollUp(store);
}

function append(
  store: StoreHarness,
  model: Model,
  { device, samples }: { readonly device: number; readonly samples: readonly Sample[] },
): void {
  const timed = samples.map(({ at, values }) => ({ ts: at, values }));
  store.log.append(0, store.clock.now(), [[`d${device}`, timed]]);
  const metrics = model.get(`d${device}`) ?? new Map<string, ModelSeries>();
  model.set(`d${device}`, metrics);
  for (const { at, values } of samples) {
    for (const [metric, point] of Object.entries(values)) {
      const series = metrics.get(metric) ?? { points: new Map<number, PointValue>(), gone: [] };
      metrics.set(metric, series);
      series.points.set(at, point);
    }
  }
}

function drop(store: StoreHarness, model: Model, day: number): void {
  const { writer } = store;
  const upkeep = new UpkeepStore({
    files: writer.files,
    rollupFiles: writer.rollupFiles,
    rollups: writer.rollups,
    unrolled: writer.unrolled,
    chunks: writer.chunks,
    catalog: writer.catalog,
    memtable: writer.memtable,
    replaying: () => writer.replaying,
    logLines: silentLogLines,
  });
  if (!writer.files.has(day)) return;
  const db = openDayFileForRead(store.dir, day);
  const meta = new Map(
    db
      .prepare('SELECT name, value FROM meta')
      .all()
      .map((row) => [row['name'], Number(row['value'])]),
  );
  db.close();
  const answer = upkeep.dropDay({ day, generation: meta.get('generation')!, ifVersion: meta.get('version')! });
  if (!answer.done) return;
  for (const metrics of model.values()) {
    for (const series of metrics.values()) {
      const isOf = ([timeMs]: [number, PointValue]): boolean => Math.floor(timeMs / DAY_MS) === day;
      series.gone.push(new Map([...series.points].filter(isOf)));
      series.points = new Map([...series.points].filter((point) => !isOf(point)));
    }
  }
}

/** @returns how many hours of each series came from the rollups */
function check(store: StoreHarness, model: Model): Map<string, number> {
  const rolled = new Map<string, number>();
  using settled = new SettledReads({ telemetryDir: store.dir, hotDays: store.writer.hotDays });
  for (const device of DEVICES) {
    const found = readRollups(
      store,
      device,
      [...new Set(DAYS)].sort((a, b) => a - b),
    );
    const metrics = model.get(device) ?? new Map<string, ModelSeries>();
    checkSettled(store, device, settled);
    for (const [metric, { points, gone }] of metrics) {
      const all = [...gone, points];
      const read = found.get(metric)!;
      expect(read.hours).toEqual(naiveRollups(all, HOUR_MS));
      const days = new Map(naiveRollups(all, DAY_MS).map((row) => [row.startMs, row]));
      for (const row of read.days) expect(row).toEqual(days.get(row.startMs));
      rolled.set(`${device} ${metric}`, read.rolledHours);
    }
    const unknown = [...found.keys()].filter((metric) => !metrics.has(metric));
    expect(unknown).toEqual([]);
  }
  return rolled;
}

/** Where the processor need not be asked, the answer is the one that it would give. */
function checkSettled(store: StoreHarness, device: string, settled: SettledReads): void {
  const spans = [...DAYS.map((day) => [day * DAY_MS, (day + 1) * DAY_MS] as const), [-MAX_TIME_MS, MAX_TIME_MS] as const];
  for (const [fromMs, toMs] of spans) {
    const asked = { device, metrics: undefined, fromMs, toMs };
    const answer = settled.read(asked);
    const { series, ...rest } = store.writer.hot.read(asked);
    const isHot = store.writer.memtable.days(Infinity)!.some((day) => day * DAY_MS < toMs && (day + 1) * DAY_MS > fromMs);
    expect(answer === undefined).toBe(isHot || store.writer.devices.hasUnsaved);
    if (answer === undefined) continue;
    expect(answer).toEqual({ series: series.toSorted((a, b) => (a.metric < b.metric ? -1 : 1)), ...rest });
    for (const { times, values } of series) expect([times.length, values.length]).toEqual([0, 0]);
  }
}

/** Every aggregate of every series at several widths, as the API asks for them, over all levels together. */
async function checkQueries(store: StoreHarness, model: Model): Promise<void> {
  const hot = localCaller<Pick<HotCalls, 'hotRead'>>({ hotRead: (query) => store.writer.hot.read(query) });
  const { hotDays } = store.writer;
  using queries = new StoreQueries({ telemetryDir: store.dir, hot, hotDays, clock: store.clock });
  const fields = { count: 'count', min: 'min', max: 'max', sum: 'sum', first: 'first', last: 'last' } as const;
  for (const [device, metrics] of model) {
    for (const [every, timeZone] of WIDTHS) {
      for (const fn of Object.keys(fields) as (keyof typeof fields)[]) {
        const range = { fromMs: -MAX_TIME_MS, toMs: MAX_TIME_MS, limit: 100_000 };
        const answer = await queries.aggregate({ device: parseDeviceId(device), every, timeZone, fn, ...range });
        for (const [metric, { points, gone }] of metrics) {
          const { times, values } = answer.metrics.get(metric)!;
          const found = Array.from(times, (startMs, i) => [startMs, values[i]!]);
          const rows = naiveBuckets([...gone, points], openBuckets(every, new ZoneOffsets(timeZone)));
          const wanted = rows.flatMap((row) => (row[fields[fn]] === undefined ? [] : [[row.startMs, row[fields[fn]]]]));
          expect(found, `${fn} of ${metric} of ${device} in ${timeZone}`).toEqual(wanted);
        }
      }
    }
  }
}

function seriesInFiles(store: StoreHarness): number[] {
  return store.writer.rollupFiles.all.flatMap(({ level, firstDay }) => {
    const db = openRollupFileForRead(store.dir, level, firstDay);
    const rows = db.prepare('SELECT DISTINCT series FROM rollup').all();
    db.close();
    return rows.map((row) => Number(row['series']));
  });
}
