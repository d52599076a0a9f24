import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { dayFilePath, dayOf } from './day-file-schema.ts';
import { columns, pairs, StoreFixture, type Pair } from './query-fixture.ts';
import { StoreQueries } from './query-store.ts';
import type { PointValue, RangeAnswer, RangeQuery } from './telemetry-queries.ts';

const DEVICE = parseDeviceId('sensor-1');
const DAY_MS = 86_400_000;
const NOON = Date.UTC(2026, 2, 10, 12);
const MIDNIGHT = Date.UTC(2026, 2, 11);

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

function rangeQuery(change: Partial<RangeQuery> = {}): RangeQuery {
  return { device: DEVICE, fromMs: NOON, toMs: NOON + 3 * DAY_MS, limit: 1_000, ...change };
}

function asPairs(answer: RangeAnswer): Record<string, Pair[]> {
  return Object.fromEntries([...answer.metrics].map(([metric, points]) => [metric, pairs(points)]));
}

describe('a range', () => {
  it('joins chunks of several days and hot points in the order of time', async () => {
    store.chunk(1, [
      [MIDNIGHT - 2, 1],
      [MIDNIGHT - 1, 2],
      [MIDNIGHT, 3],
    ]);
    store.chunk(1, [[MIDNIGHT + DAY_MS, 5]]);
    store.series('sensor-1', 'a', 1, [
      [MIDNIGHT + 7, 4],
      [MIDNIGHT + DAY_MS + 1, 6],
    ]);
    expect(asPairs(await queries.range(rangeQuery()))).toEqual({
      a: [
        [MIDNIGHT - 2, 1],
        [MIDNIGHT - 1, 2],
        [MIDNIGHT, 3],
        [MIDNIGHT + 7, 4],
        [MIDNIGHT + DAY_MS, 5],
        [MIDNIGHT + DAY_MS + 1, 6],
      ],
    });
  });

  it('lets a later chunk win over an earlier one, and a hot point over both', async () => {
    store.chunk(1, [
      [NOON + 1, 1],
      [NOON + 2, 1],
      [NOON + 3, 1],
    ]);
    store.chunk(1, [
      [NOON + 2, 2],
      [NOON + 3, 2],
    ]);
    store.series('sensor-1', 'a', 1, [[NOON + 3, 3]]);
    expect(asPairs(await queries.range(rangeQuery())).a).toEqual([
      [NOON + 1, 1],
      [NOON + 2, 2],
      [NOON + 3, 3],
    ]);
  });

  it('includes its beginning and excludes its end', async () => {
    store.chunk(1, [
      [NOON - 1, 0],
      [NOON, 1],
      [NOON + 9, 2],
      [NOON + 10, 3],
    ]);
    store.series('sensor-1', 'a', 1);
    expect(asPairs(await queries.range(rangeQuery({ toMs: NOON + 10 }))).a).toEqual([
      [NOON, 1],
      [NOON + 9, 2],
    ]);
  });

  it('has every asked metric as a key in alphabetical order, and none that was not asked for', async () => {
    store.series('sensor-1', 'b', 1, [[NOON, 1]]);
    store.series('sensor-1', 'a', 2, [[NOON, true]]);
    store.series('sensor-1', 'c', 3, [[NOON, 3]]);
    const answer = await queries.range(rangeQuery({ metrics: ['none', 'b', 'a', 'b'] }));
    expect([...answer.metrics.keys()]).toEqual(['a', 'b', 'none']);
    expect(asPairs(answer)).toEqual({ a: [[NOON, true]], b: [[NOON, 1]], none: [] });
  });

  it('gives no cursor when the limit is met exactly and nothing is left', async () => {
    store.series('sensor-1', 'a', 1, [[NOON, 1]]);
    store.series('sensor-1', 'b', 2, [[NOON, 2]]);
    store.series('sensor-1', 'c', 3);
    expect((await queries.range(rangeQuery({ limit: 2 }))).cursor).toBeUndefined();
    expect((await queries.range(rangeQuery({ limit: 1 }))).cursor).toBeDefined();
  });

  it('goes on at the cursor though points and metrics were added before it', async () => {
    store.series('sensor-1', 'b', 1, [
      [NOON, 1],
      [NOON + 2, 3],
    ]);
    const first = await queries.range(rangeQuery({ limit: 1 }));
    store.series('sensor-1', 'a', 2, [[NOON, 0]]);
    store.chunk(1, [
      [NOON - 5, 9],
      [NOON + 1, 9],
      [NOON + 3, 4],
    ]);
    store.daysVersion++;
    const rest = await queries.range(rangeQuery({ cursor: first.cursor! }));
    expect(asPairs(rest)).toEqual({
      a: [],
      b: [
        [NOON + 2, 3],
        [NOON + 3, 4],
      ],
    });
  });

  it('is the naive merge of all writes, however it is paged', async () => {
    const time = fc.integer({ min: 0, max: 300 }).map((n) => MIDNIGHT + n - 150);
    const value: fc.Arbitrary<PointValue> = fc.oneof<fc.MaybeWeightedArbitrary<PointValue>[]>(
      { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
      { weight: 1, arbitrary: fc.boolean() },
      { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
    );
    const write = fc
      .uniqueArray(fc.tuple(time, value), { selector: ([timeMs]) => timeMs, minLength: 1, maxLength: 30 })
      .map((points) => points.toSorted((a, b) => a[0] - b[0]));
    const writes = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), write), { maxLength: 60 });
    const hot = fc.array(write, { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(writes, hot, time, time, fc.integer({ min: 1, max: 400 }), async (chunks, hotPoints, a, b, limit) => {
        using own = new StoreFixture();
        using reading = new StoreQueries({ telemetryDir: own.telemetryDir, hot: own.hot, clock: systemClock });
        const model = [0, 1, 2].map(() => new Map<number, PointValue>());
        for (const [series, points] of chunks) {
          own.chunk(series, points);
          for (const [timeMs, written] of points) model[series]!.set(timeMs, written);
        }
        for (const [series, points] of hotPoints.entries()) {
          own.series('sensor-1', `m${series}`, series, points);
          for (const [timeMs, written] of points) model[series]!.set(timeMs, written);
        }
        const query = rangeQuery({ fromMs: Math.min(a, b), toMs: Math.max(a, b), limit });
        const expected = model.map((points) =>
          [...points].filter(([timeMs]) => timeMs >= query.fromMs && timeMs < query.toMs).sort((x, y) => x[0] - y[0]),
        );
        const seen: Pair[][] = [[], [], []];
        for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
          const answer = await reading.range({ ...query, ...(cursor === undefined ? {} : { cursor }) });
          const counts = [0, 1, 2].map((series) => answer.metrics.get(`m${series}`)!.times.length);
          const count = counts.reduce((sum, n) => sum + n);
          expect(count).toBeLessThanOrEqual(limit);
          if (answer.cursor !== undefined) expect(count).toBe(limit);
          for (const series of [0, 1, 2]) seen[series]!.push(...pairs(answer.metrics.get(`m${series}`)));
          cursor = answer.cursor;
        }
        expect(seen).toEqual(expected);
      }),
      { numRuns: 60, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('reads on past more chunks over one instant than a page holds', async () => {
    for (let i = 0; i < 150; i++) {
      store.chunk(1, [
        [NOON, i],
        [NOON + 1 + i, i],
      ]);
    }
    store.series('sensor-1', 'a', 1);
    const points = asPairs(await queries.range(rangeQuery())).a!;
    expect(points).toHaveLength(151);
    expect(points[0]).toEqual([NOON, 149]);
    expect(points[150]).toEqual([NOON + 150, 149]);
    expect(asPairs(await queries.range(rangeQuery({ limit: 1 }))).a).toEqual([[NOON, 149]]);
  });

  it('finds a day file that appeared, and misses nothing but the points of one that went', async () => {
    store.chunk(1, [[NOON, 1]]);
    store.series('sensor-1', 'a', 1);
    expect(asPairs(await queries.range(rangeQuery())).a).toHaveLength(1);
    store.chunk(1, [[NOON + DAY_MS, 2]]);
    store.daysVersion++;
    expect(asPairs(await queries.range(rangeQuery())).a).toHaveLength(2);
    store.removeDay(dayOf(NOON));
    store.daysVersion++;
    expect(asPairs(await queries.range(rangeQuery())).a).toEqual([[NOON + DAY_MS, 2]]);
    store.chunk(1, [[NOON, 3]]);
    store.daysVersion++;
    expect(asPairs(await queries.range(rangeQuery())).a).toEqual([
      [NOON, 3],
      [NOON + DAY_MS, 2],
    ]);
  });

  it('takes a listed file that has vanished since, or was never set up, for an empty day', async () => {
    store.chunk(1, [[NOON, 1]]);
    store.chunk(1, [[NOON + DAY_MS, 2]]);
    store.chunk(1, [[NOON + 2 * DAY_MS, 3]]);
    store.series('sensor-1', 'a', 1);
    await queries.range(rangeQuery({ toMs: NOON + 1 }));
    store.removeDay(dayOf(NOON + DAY_MS));
    store.removeDay(dayOf(NOON + 2 * DAY_MS));
    writeFileSync(dayFilePath(store.telemetryDir, dayOf(NOON + 2 * DAY_MS)), '');
    expect(asPairs(await queries.range(rangeQuery())).a).toEqual([[NOON, 1]]);
  });

  it('says which chunk is corrupt', async () => {
    store.write(dayOf(NOON), (insert) => insert(1, NOON, NOON, 1, Uint8Array.of(255, 1, 2)));
    store.series('sensor-1', 'a', 1);
    await expect(queries.range(rangeQuery())).rejects.toMatchObject({ code: 'data.corrupt', details: { series: 1, chunk: 1 } });
  });

  it('says that a day file cannot be read', async () => {
    store.chunk(1, [[NOON, 1]]);
    store.removeDay(dayOf(NOON));
    store.series('sensor-1', 'a', 1);
    writeFileSync(dayFilePath(store.telemetryDir, dayOf(NOON)), 'not a database, but long enough to be looked at'.repeat(100));
    await expect(queries.range(rangeQuery())).rejects.toMatchObject({ code: 'telemetry.store-failed' });
  });

  it.each([
    ['times that are no whole ms', { fromMs: 1.5 }],
    ['a beginning that is not a number', { fromMs: Number.NaN }],
    ['a time beyond all dates', { toMs: 9e15 }],
    ['a beginning after the end', { fromMs: 2, toMs: 1 }],
    ['a limit of nothing', { limit: 0 }],
    ['a limit that is not whole', { limit: 1.5 }],
    ['a cursor of another kind', { cursor: Buffer.from('["dead-letters",5]').toString('base64url') }],
    ['a cursor with a wrong field', { cursor: Buffer.from('["range",5,5]').toString('base64url') }],
    ['a cursor that is no JSON', { cursor: 'abc' }],
    ['a cursor that is no base64url', { cursor: '=?' }],
  ])('refuses %s', async (_, change) => {
    await expect(queries.range(rangeQuery(change))).rejects.toMatchObject({ code: 'request.invalid' });
  });
});

describe('a long read', () => {
  it('fails before reading when it would take too many points', async () => {
    using small = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock: systemClock, maxPointsRead: 5 });
    // Only the counts are looked at: these bytes would be an error if they were decoded.
    store.write(dayOf(NOON), (insert) => insert(1, NOON, NOON + 9, 3, Uint8Array.of(255)));
    store.write(dayOf(MIDNIGHT), (insert) => insert(1, MIDNIGHT, MIDNIGHT + 9, 3, Uint8Array.of(255)));
    store.series('sensor-1', 'a', 1);
    const query = { ...rangeQuery(), every: { ms: 1_000 }, fn: 'mean', timeZone: 'UTC' } as const;
    await expect(small.aggregate(query)).rejects.toMatchObject({ code: 'query.too-large', details: { maxPoints: 5, points: 6 } });
    await expect(small.aggregate({ ...query, toMs: MIDNIGHT })).rejects.toMatchObject({ code: 'data.corrupt' });
  });

  it('fails when overlapping chunks make a range read too many points', async () => {
    using small = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock: systemClock, maxPointsRead: 9 });
    for (let i = 0; i < 5; i++) {
      store.chunk(1, [
        [NOON, 1],
        [NOON + 5, i],
      ]);
    }
    store.series('sensor-1', 'a', 1);
    await expect(small.range(rangeQuery({ limit: 1 }))).rejects.toMatchObject({ code: 'query.too-large' });
  });

  it('lets the event loop run, and ends when its signal is aborted', async () => {
    let nowMs = 0;
    const clock = { ...systemClock, monotonicMs: () => (nowMs += 3) };
    using slow = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock });
    for (let i = 0; i < 40; i++) store.chunk(1, [[NOON + i * 3_600_000, i]]);
    store.series('sensor-1', 'a', 1);
    const reason = new Error('the client has gone');
    const query = { ...rangeQuery(), every: { ms: 1_000 }, fn: 'mean', timeZone: 'UTC' } as const;
    for (const read of [
      (signal: AbortSignal) => slow.range(query, signal),
      (signal: AbortSignal) => slow.aggregate(query, signal),
    ]) {
      const turns = { count: 0, going: true };
      const turn = (): void => {
        turns.count++;
        if (turns.going) setImmediate(turn);
      };
      setImmediate(turn);
      await read(AbortSignal.timeout(60_000));
      turns.going = false;
      expect(turns.count).toBeGreaterThan(1);
      const abort = new AbortController();
      setImmediate(() => abort.abort(reason));
      await expect(read(abort.signal)).rejects.toBe(reason);
      store.calls.length = 0;
      await expect(read(abort.signal)).rejects.toBe(reason);
      expect(store.calls).toEqual([]);
    }
  });
});

describe('latest', () => {
  const hot = (metric: string, id: number, newest?: Pair, lastDay = -1, inStore = false) => ({
    metric,
    id,
    timeMs: newest?.[0] ?? -1,
    value: newest?.[1],
    lastDay,
    inStore,
  });

  it('takes what the processor knows and looks into the store only where it must', async () => {
    const other = parseDeviceId('sensor-2');
    const silent = parseDeviceId('sensor-3');
    store.chunk(1, [[NOON, 'stored']]);
    store.chunk(2, [
      [NOON, 1],
      [NOON + 5, 2],
    ]);
    store.chunk(2, [[NOON + 1, 3]]);
    store.chunk(2, [
      [NOON + 4, 5],
      [NOON + 5, 4],
    ]);
    store.chunk(3, [[NOON, 1]]);
    store.hotLatest.set('sensor-1', [
      hot('z', 1, [NOON - 1, 'hot'], dayOf(NOON), false),
      hot('b', 2, undefined, dayOf(NOON), true),
      hot('a', 3, [NOON, 7], dayOf(NOON), true),
    ]);
    store.hotLatest.set('sensor-2', [
      hot('never', 4, undefined, -1, false),
      hot('gone', 5, undefined, dayOf(NOON), true),
      hot('older', 3, [NOON - 1, 0], dayOf(NOON), true),
    ]);
    const latest = await queries.latest([DEVICE, other, silent]);
    expect(latest.get(DEVICE)).toEqual([
      { metric: 'a', timeMs: NOON, value: 7 },
      { metric: 'b', timeMs: NOON + 5, value: 4 },
      { metric: 'z', timeMs: NOON - 1, value: 'hot' },
    ]);
    expect(latest.get(other)).toEqual([{ metric: 'older', timeMs: NOON, value: 1 }]);
    expect(latest.get(silent)).toEqual([]);
  });
});

describe('the newest point, where the points of the day were let go and a late one has come since', () => {
  it('is the one that is known of the day, or the late one where that is newer', async () => {
    const day = dayOf(NOON);
    const clock = { ...systemClock, now: () => NOON + 9 * DAY_MS };
    using later = new StoreQueries({ telemetryDir: store.telemetryDir, hot: store.hot, clock });
    for (const [id, lateMs] of [
      [1, NOON - 5],
      [2, NOON + 5],
      [3, NOON],
    ] as const) {
      store.chunk(id, [[NOON - 9, 'first'], [NOON, 'last']]); // prettier-ignore
      store.rollUp(id, day, columns([[NOON - 9, 'first'], [NOON, 'last']]), 0, id); // prettier-ignore
      store.removeDay(day);
      store.chunk(id, [[lateMs, 'late']]);
      store.daysVersion++;
      store.hotLatest.set('sensor-1', [{ metric: 'a', id, timeMs: -1, value: undefined, lastDay: day, inStore: true }]);
      const known = lateMs < NOON ? { timeMs: NOON, value: 'last' } : { timeMs: lateMs, value: 'late' };
      expect((await later.latest([DEVICE])).get(DEVICE)).toEqual([{ metric: 'a', ...known }]);
    }
  });
});

it('asks the processor to forget a device', async () => {
  await queries.forget(DEVICE);
  expect(store.calls).toEqual([{ call: 'forget', argument: { device: 'sensor-1' } }]);
});
