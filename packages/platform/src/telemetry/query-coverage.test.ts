import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { DAY_MS, dayOf, HOUR_MS } from './day-file-schema.ts';
import { columns, pairs, type Pair, StoreFixture } from './query-fixture.ts';
import { StoreQueries } from './query-store.ts';

const START = Date.UTC(2026, 2, 27);
const DAY = dayOf(START);
const device = parseDeviceId('sensor-1');

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

/** A point an hour, of some days. */
function hourly(day: number, days = 1): Pair[] {
  return Array.from({ length: days * 24 }, (_, hour): Pair => [day * DAY_MS + hour * HOUR_MS + 1, hour]);
}

/** Points of a series on a day, rolled up; and let go. */
function rolled(series: number, day: number, points: readonly Pair[], isGone = false): void {
  store.chunk(series, points);
  store.rollUp(series, day, columns(points), 0, 10 + series);
  if (isGone) store.removeDay(day);
}

const query = { device, fromMs: START, toMs: START + 3 * DAY_MS, timeZone: 'UTC', fn: 'mean', limit: 10_000 } as const;
const MINUTE = { ms: 60_000 };

describe('what an answer lacks is told', () => {
  it('where points of this series were let go and those of others were not', async () => {
    store.series('sensor-1', 'a', 1);
    store.series('sensor-1', 'b', 2);
    rolled(1, DAY, hourly(DAY), true);
    rolled(2, DAY, hourly(DAY));
    for (const series of [1, 2]) rolled(series, DAY + 2, hourly(DAY + 2));
    expect(await queries.aggregate({ ...query, every: MINUTE })).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
    expect(await queries.aggregate({ ...query, metrics: ['b'], every: MINUTE })).not.toHaveProperty('incompleteBeforeMs');
    const plot = { device, fromMs: query.fromMs, toMs: query.toMs, width: 1_000, method: 'm4' } as const;
    expect(await queries.plot(plot)).toHaveProperty('pointsFromMs', START + DAY_MS);
    expect(await queries.plot({ ...plot, metrics: ['b'] })).not.toHaveProperty('pointsFromMs');
  });

  it('where late points came to a day that was let go, and an older day is still there', async () => {
    store.series('sensor-1', 'a', 1);
    rolled(1, DAY - 9, hourly(DAY - 9));
    rolled(1, DAY, hourly(DAY), true);
    const late: Pair[] = [[START + 5, 1]];
    store.chunk(1, late);
    store.rollUp(1, DAY, columns(late), 0, 77);
    rolled(1, DAY + 1, hourly(DAY + 1));
    const asked = { ...query, fromMs: START - 9 * DAY_MS };
    expect(await queries.aggregate({ ...asked, every: MINUTE })).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
    expect(await queries.aggregate({ ...asked, every: { ms: HOUR_MS } })).not.toHaveProperty('incompleteBeforeMs');
    const plot = { device, fromMs: asked.fromMs, toMs: query.toMs, width: 2_000, method: 'm4' } as const;
    expect(await queries.plot(plot)).toHaveProperty('pointsFromMs', START + DAY_MS);
  });

  it('of a range of points, where a late one has come to a day that was let go and is not rolled up yet', async () => {
    using later = new StoreQueries({
      telemetryDir: store.telemetryDir,
      hot: store.hot,
      clock: { ...systemClock, now: () => START + 5 * DAY_MS },
    });
    const asked = { device, fromMs: START, toMs: START + DAY_MS, limit: 1_000 };
    store.series('sensor-1', 'a', 1);
    rolled(1, DAY, hourly(DAY), true);
    expect(await later.range(asked)).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
    store.series('sensor-1', 'a', 1, [[START + 5, 1]]);
    expect(await later.range(asked)).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
    store.series('sensor-1', 'a', 1);
    store.chunk(1, [[START + 5, 1]]);
    store.daysVersion++;
    expect(await later.range(asked)).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
  });

  it('where hours were let go and only days are kept', async () => {
    store.series('sensor-1', 'a', 1);
    rolled(1, DAY, hourly(DAY), true);
    rolled(1, DAY + 1, hourly(DAY + 1), true);
    rolled(1, DAY + 2, hourly(DAY + 2));
    store.removeHours(DAY);
    const sixHours = await queries.aggregate({ ...query, every: { ms: 6 * HOUR_MS } });
    expect(sixHours).toHaveProperty('incompleteBeforeMs', START + DAY_MS);
    expect(await queries.aggregate({ ...query, every: { ms: DAY_MS } })).not.toHaveProperty('incompleteBeforeMs');
    const after = { ...query, fromMs: START + DAY_MS, every: { ms: 6 * HOUR_MS } };
    expect(await queries.aggregate(after)).not.toHaveProperty('incompleteBeforeMs');
  });
});

describe('a plot', () => {
  it('shows the hours of a day that was let go beside the late points that came since', async () => {
    store.series('sensor-1', 'a', 1);
    const before = hourly(DAY).map(([timeMs, value], hour): Pair => [timeMs, hour === 7 ? 9_999 : value]);
    rolled(1, DAY, before, true);
    const late: Pair[] = [
      [START + 5, 1],
      [START + 7 * HOUR_MS + 5, -5],
    ];
    store.chunk(1, late);
    store.rollUp(1, DAY, columns(late), 0, 77);
    for (const width of [12, 1_000]) {
      const plot = { device, fromMs: START, toMs: START + DAY_MS, width, method: 'm4' } as const;
      const values = pairs((await queries.plot(plot)).metrics.get('a')).map(([, value]) => value);
      expect(values).toEqual(expect.arrayContaining([9_999, -5, 23]));
    }
  });
});

describe('a late point of a day of which only the day is kept', () => {
  const before = hourly(DAY);

  beforeEach(() => {
    store.series('sensor-1', 'a', 1, [[START + 6 * HOUR_MS, 100]]);
    rolled(1, DAY, before, true);
    rolled(1, DAY + 1, hourly(DAY + 1));
    store.removeHours(DAY);
  });

  const count = async (every: { ms: number }, fn: 'count' | 'max' | 'first' | 'last' = 'count') =>
    pairs((await queries.aggregate({ ...query, every, fn })).metrics.get('a'));

  it('is added to what is known of the day, in memory and stored', async () => {
    for (const isStored of [false, true]) {
      if (isStored) {
        store.series('sensor-1', 'a', 1);
        store.chunk(1, [[START + 6 * HOUR_MS, 100]]);
        store.daysVersion++;
      }
      expect(await count({ ms: DAY_MS })).toEqual([
        [START, 25],
        [START + DAY_MS, 24],
      ]);
      expect((await count({ ms: 5 * DAY_MS })).reduce((sum, [, value]) => sum + Number(value), 0)).toBe(49);
      expect((await count({ ms: DAY_MS }, 'max'))[0]).toEqual([START, 100]);
      expect((await count({ ms: DAY_MS }, 'first'))[0]).toEqual([START, 0]);
      expect((await count({ ms: DAY_MS }, 'last'))[0]).toEqual([START, 23]);
      const plot = { device, fromMs: START, toMs: START + 4 * DAY_MS, width: 4, method: 'm4' } as const;
      const shown = pairs((await queries.plot(plot)).metrics.get('a'));
      expect(shown[0]).toEqual(before[0]);
      expect(shown.map(([, value]) => value)).toContain(100);
    }
  });
});

describe('sums beyond the largest number', () => {
  const MAX = Number.MAX_VALUE;
  const values: Pair[] = [
    [START + 1, MAX],
    [START + 2, MAX],
    [START + HOUR_MS, 3],
  ];

  it.each(['points', 'rollups'])('are told as such, and their mean is right, of %s', async (from) => {
    store.series('sensor-1', 'a', 1);
    store.chunk(1, values);
    if (from === 'rollups') store.rollUp(1, DAY, columns(values));
    for (const every of [{ ms: HOUR_MS }, { ms: DAY_MS }]) {
      const expected = (await queries.aggregate({ ...query, every, fn: 'sum' })).metrics.get('a')!.values[0];
      expect(expected).toBe(Infinity);
    }
    expect(pairs((await queries.aggregate({ ...query, every: { ms: HOUR_MS } })).metrics.get('a'))).toEqual([
      [START, MAX],
      [START + HOUR_MS, 3],
    ]);
    const [day] = pairs((await queries.aggregate({ ...query, every: { ms: DAY_MS } })).metrics.get('a'));
    expect(Number(day![1]) / MAX).toBeCloseTo(2 / 3, 10);
  });

  it('have no mean any more once their points are gone', async () => {
    store.series('sensor-1', 'a', 1);
    rolled(1, DAY, values, true);
    expect(pairs((await queries.aggregate({ ...query, every: { ms: DAY_MS } })).metrics.get('a'))).toEqual([[START, Infinity]]);
  });
});
