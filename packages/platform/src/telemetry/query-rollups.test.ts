import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import { openBuckets } from './buckets.ts';
import { ZoneOffsets } from './buckets-zone.ts';
import { DAY_MS, dayOf, HOUR_MS } from './day-file-schema.ts';
import { columns, pairs, type Pair, StoreFixture } from './query-fixture.ts';
import { StoreQueries } from './query-store.ts';
import type { Aggregate, Interval, PointValue } from './telemetry-queries.ts';

const START = Date.UTC(2026, 2, 27);
const DAYS = 5;
const device = parseDeviceId('sensor-1');
const ALL = ['mean', 'min', 'max', 'sum', 'count', 'first', 'last'] as const;

let store: StoreFixture;
let queries: StoreQueries;

beforeEach(() => {
  store = new StoreFixture();
  queries = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock: systemClock });
});

afterEach(() => {
  queries[Symbol.dispose]();
  store[Symbol.dispose]();
});

function naive(
  points: readonly Pair[],
  query: { fromMs: number; toMs: number; every: Interval; fn: Aggregate; timeZone: string },
): Pair[] {
  const buckets = openBuckets(query.every, new ZoneOffsets(query.timeZone));
  const found = new Map<number, PointValue[]>();
  for (const [timeMs, value] of points) {
    if (timeMs < query.fromMs || timeMs >= query.toMs) continue;
    buckets.seek(timeMs);
    found.set(buckets.startMs, [...(found.get(buckets.startMs) ?? []), value]);
  }
  return [...found].flatMap(([startMs, values]): Pair[] => {
    const value = aggregate(query.fn, values);
    return value === undefined ? [] : [[startMs, value]];
  });
}

function aggregate(fn: Aggregate, values: readonly PointValue[]): PointValue | undefined {
  if (fn === 'count') return values.length;
  if (fn === 'first') return values[0];
  if (fn === 'last') return values.at(-1);
  const numbers = values.filter((value) => typeof value !== 'string').map(Number);
  if (numbers.length === 0) return undefined;
  if (fn === 'min') return Math.min(...numbers);
  if (fn === 'max') return Math.max(...numbers);
  const sum = numbers.reduce((a, b) => a + b, 0);
  return fn === 'sum' ? sum : sum / numbers.length;
}

const value: fc.Arbitrary<PointValue> = fc.oneof<fc.MaybeWeightedArbitrary<PointValue>[]>(
  { weight: 8, arbitrary: fc.integer({ min: -1_000, max: 1_000 }) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom('on', 'off') },
);
const points = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: DAYS * 96 - 1 }), value), { selector: ([at]) => at, maxLength: 120 })
  .map((list) => list.toSorted((a, b) => a[0] - b[0]).map(([at, v]): Pair => [START + at * 900_000 + 1, v]));
/** Of each day: not rolled up; rolled up but for these hours; rolled up and its points let go. */
const states = fc.array(
  fc.oneof(fc.constant('points' as const), fc.integer({ min: 0, max: 0xff_ffff }), fc.constant('gone' as const)),
  {
    minLength: DAYS,
    maxLength: DAYS,
  },
);
const intervals = fc.oneof<fc.Arbitrary<Interval>[]>(
  fc.constantFrom(HOUR_MS, 3 * HOUR_MS, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS).map((ms) => ({ ms })),
  fc.record({ calendar: fc.constantFrom('day' as const, 'week' as const, 'month' as const), count: fc.constant(1) }),
);

function fill(list: readonly Pair[], hot: readonly Pair[], state: readonly ('points' | 'gone' | number)[]): void {
  store.series('sensor-1', 'a', 1, hot);
  store.chunk(1, list);
  for (const [index, of] of state.entries()) {
    const day = dayOf(START) + index;
    const inDay = list.filter(([timeMs]) => dayOf(timeMs) === day);
    if (of === 'points' || inDay.length === 0) continue;
    store.rollUp(1, day, columns(inDay), of === 'gone' ? 0 : of);
    if (of === 'gone') store.removeDay(day);
  }
}

describe('buckets of rollups, points and what is in memory', () => {
  it('are what the points alone would give, whatever is rolled up or gone', async () => {
    await fc.assert(
      fc.asyncProperty(
        points,
        states,
        points,
        intervals,
        fc.constantFrom(...ALL),
        fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns'),
        fc.tuple(fc.integer({ min: -24, max: DAYS * 24 }), fc.integer({ min: 0, max: DAYS * 24 + 24 })),
        async (list, state, hotList, every, fn, timeZone, [from, length]) => {
          store[Symbol.dispose]();
          queries[Symbol.dispose]();
          store = new StoreFixture();
          queries = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock: systemClock });
          const isGone = (timeMs: number): boolean => state[dayOf(timeMs) - dayOf(START)] === 'gone';
          // A point in memory replaces a stored one of its time, but not one that was let go: it comes in addition.
          const hot = hotList.map(([timeMs, v]): Pair => [isGone(timeMs) ? timeMs + 1 : timeMs, v]);
          fill(list, hot, state);
          const merged = [...new Map([...list, ...hot])].toSorted(([a], [b]) => a - b);
          const query = { fromMs: START + from * HOUR_MS, toMs: START + (from + length) * HOUR_MS, every, fn, timeZone };
          // In this zone days begin within an hour: where points are gone they cannot be told.
          const exact =
            timeZone !== 'America/St_Johns' || ('ms' in every && every.ms % DAY_MS === 0 ? true : !state.includes('gone'));
          fc.pre(exact);
          const answer = await queries.aggregate({ device, ...query, limit: 100_000 });
          expect(pairs(answer.metrics.get('a'))).toEqual(naive(merged, query));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('add up what came after points were let go', async () => {
    const day = dayOf(START);
    store.series('sensor-1', 'a', 1, []);
    const before: Pair[] = [
      [START + 1, 5],
      [START + HOUR_MS, 1],
    ];
    store.chunk(1, before);
    store.rollUp(1, day, columns(before), 0, 7);
    store.removeDay(day);
    const after: Pair[] = [
      [START, 2],
      [START + 2 * HOUR_MS, 4],
    ];
    store.chunk(1, after);
    const query = { device, fromMs: START, toMs: START + DAY_MS, timeZone: 'UTC', limit: 100 };
    store.rollUp(1, day, columns(after), 0, 8);
    const hours = await queries.aggregate({ ...query, every: { ms: HOUR_MS }, fn: 'sum' });
    expect(pairs(hours.metrics.get('a'))).toEqual([
      [START, 7],
      [START + HOUR_MS, 1],
      [START + 2 * HOUR_MS, 4],
    ]);
    const days = await queries.aggregate({ ...query, every: { ms: DAY_MS }, fn: 'first' });
    expect(pairs(days.metrics.get('a'))).toEqual([[START, 2]]);
  });

  it('that need points which are gone are announced, and only those', async () => {
    const list = Array.from({ length: DAYS * 24 }, (_, i): Pair => [START + i * HOUR_MS, i]);
    fill(list, [], ['gone', 'gone', 0, 0, 'points']);
    const query = { device, fromMs: START, toMs: START + DAYS * DAY_MS, timeZone: 'UTC', fn: 'mean', limit: 10_000 } as const;
    expect(await queries.aggregate({ ...query, every: { ms: HOUR_MS } })).not.toHaveProperty('incompleteBeforeMs');
    expect(await queries.aggregate({ ...query, every: { ms: 60_000 } })).toHaveProperty('incompleteBeforeMs', START + 2 * DAY_MS);
    const late = { ...query, fromMs: START + 2 * DAY_MS, every: { ms: 60_000 } };
    expect(await queries.aggregate(late)).not.toHaveProperty('incompleteBeforeMs');
  });
});

describe('points', () => {
  const list = Array.from({ length: DAYS * 24 }, (_, i): Pair => [START + i * HOUR_MS, i]);

  it('of a time of which they were let go are announced, and of no other', async () => {
    fill(list, [], ['gone', 'gone', 0, 0, 'points']);
    const range = { device, limit: 10_000 };
    const all = await queries.range({ ...range, fromMs: -MAX_TIME_MS, toMs: MAX_TIME_MS });
    expect(all.incompleteBeforeMs).toBe(START + 2 * DAY_MS);
    expect(pairs(all.metrics.get('a'))).toEqual(list.slice(48));
    const kept = await queries.range({ ...range, fromMs: START + 2 * DAY_MS, toMs: MAX_TIME_MS });
    expect(kept).not.toHaveProperty('incompleteBeforeMs');
  });

  it('of all time are asked for in a store that has rolled nothing up yet', async () => {
    fill(list, [], ['points', 'points', 'points', 'points', 'points']);
    const all = { device, fromMs: -MAX_TIME_MS, toMs: MAX_TIME_MS, limit: 10_000 };
    expect(await queries.range(all)).not.toHaveProperty('incompleteBeforeMs');
    const days = await queries.aggregate({ ...all, every: { calendar: 'day', count: 1 }, fn: 'count', timeZone: 'Asia/Kolkata' });
    expect(pairs(days.metrics.get('a')).reduce((sum, [, count]) => sum + Number(count), 0)).toBe(DAYS * 24);
    expect((await queries.plot({ ...all, width: 500, method: 'm4' })).metrics.get('a')!.times).toHaveLength(DAYS * 24);
  });
});

describe('a plot', () => {
  const list = Array.from({ length: DAYS * 1_440 }, (_, i): Pair => [START + i * 60_000, i === 2_000 ? 9_999 : i % 97]);

  it.each(['m4', 'lttb'] as const)('by %s shows a lone peak at every width, of points and of rollups', async (method) => {
    fill(list, [], ['gone', 0, 0, 'points', 'points']);
    for (const width of [4, 50, 1_000, 10_000]) {
      const { metrics } = await queries.plot({ device, fromMs: START, toMs: START + DAYS * DAY_MS, width, method });
      const shown = pairs(metrics.get('a'));
      expect(shown.length).toBeLessThanOrEqual(method === 'm4' ? width * 4 + 4 : width);
      expect(Math.max(...shown.map(([, v]) => Number(v)))).toBe(9_999);
      expect(shown.map(([t]) => t)).toEqual(shown.map(([t]) => t).toSorted((a, b) => a - b));
    }
  });

  it('has the points themselves where they are few', async () => {
    fill(list, [], ['points', 'points', 'points', 'points', 'points']);
    const { metrics, level } = await queries.plot({
      device,
      fromMs: START,
      toMs: START + 3 * HOUR_MS,
      width: 1_000,
      method: 'm4',
    });
    expect(pairs(metrics.get('a'))).toEqual(list.slice(0, 180));
    expect(level).toBe('raw');
  });

  it('tells from when on there are points, where it was made of hours or days before', async () => {
    fill(list, [], ['gone', 'gone', 0, 0, 'points']);
    const asked = { device, toMs: START + DAYS * DAY_MS, width: 1_000, method: 'm4' } as const;
    expect(await queries.plot({ ...asked, fromMs: START })).toHaveProperty('pointsFromMs', START + 2 * DAY_MS);
    expect(await queries.plot({ ...asked, fromMs: START + 2 * DAY_MS })).not.toHaveProperty('pointsFromMs');
    const gone = await queries.plot({ ...asked, fromMs: START, toMs: START + DAY_MS });
    expect(gone).toHaveProperty('pointsFromMs', START + DAY_MS);
  });

  it('is made of days where the hours were let go too', async () => {
    fill(list, [], ['gone', 'gone', 0, 0, 'points']);
    store.removeHours(dayOf(START));
    for (const width of [5, 100, 1_000]) {
      const { metrics } = await queries.plot({ device, fromMs: START, toMs: START + 3 * DAY_MS, width, method: 'm4' });
      const shown = pairs(metrics.get('a'));
      expect(shown[0]).toEqual(list[0]);
      expect(Math.max(...shown.map(([, v]) => Number(v)))).toBe(9_999);
      expect(shown.map(([t]) => t)).toEqual(shown.map(([t]) => t).toSorted((a, b) => a - b));
    }
  });

  it('of everything is as wide as what there is', async () => {
    fill(list, [], [0, 0, 0, 0, 0]);
    const everything = { device, fromMs: -8_640_000_000_000_000, toMs: 8_640_000_000_000_000, method: 'm4' } as const;
    const hours = await queries.plot({ ...everything, width: 100 });
    expect(hours.level).toBe('1h');
    expect(hours.metrics.get('a')!.times.length).toBeGreaterThan(200);
    expect((await queries.plot({ ...everything, width: 4 })).level).toBe('1d');
  });
});
