import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { pairs, StoreFixture } from './query-fixture.ts';
import { StoreQueries } from './query-store.ts';

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

describe('an aggregate', () => {
  const aggregate = {
    device: parseDeviceId('sensor-1'),
    fromMs: NOON,
    toMs: NOON + 3 * DAY_MS,
    every: { calendar: 'day', count: 1 },
    fn: 'mean',
    timeZone: 'Europe/Berlin',
    limit: 100,
  } as const;

  it('has buckets of local days over chunks of UTC days, late writes and hot points', async () => {
    const evening = MIDNIGHT - 3_600_000;
    store.chunk(1, [
      [evening - 1, 1],
      [evening, 2],
      [MIDNIGHT, 4],
    ]);
    store.chunk(1, [[MIDNIGHT, 8]]);
    store.series('sensor-1', 'a', 1, [[evening + DAY_MS, 7]]);
    store.series('sensor-1', 'b', 2, [[NOON, 'text']]);
    const answer = await queries.aggregate({ ...aggregate, metrics: ['b', 'a', 'none'] });
    expect([...answer.metrics].map(([metric, points]) => [metric, pairs(points)])).toEqual([
      [
        'a',
        [
          [evening - DAY_MS, 1],
          [evening, 5],
          [evening + DAY_MS, 7],
        ],
      ],
      ['b', []],
      ['none', []],
    ]);
  });

  it('takes only points of the asked time into its first and last bucket', async () => {
    store.chunk(
      1,
      Array.from({ length: 48 }, (_, i) => [NOON + i * 3_600_000, 1]),
    );
    store.series('sensor-1', 'a', 1);
    const answer = await queries.aggregate({
      ...aggregate,
      fn: 'count',
      fromMs: NOON + 3_600_000,
      toMs: NOON + 2 * DAY_MS - 3_600_000,
    });
    expect(pairs(answer.metrics.get('a')).map(([, count]) => count)).toEqual([10, 24, 12]);
  });

  it('limits the buckets of all metrics together', async () => {
    store.series('sensor-1', 'a', 1, [[NOON, 1]]);
    store.series('sensor-1', 'b', 2, [
      [NOON, 1],
      [NOON + DAY_MS, 1],
    ]);
    await expect(queries.aggregate({ ...aggregate, limit: 3 })).resolves.toHaveProperty('metrics.size', 2);
    await expect(queries.aggregate({ ...aggregate, limit: 2 })).rejects.toMatchObject({ code: 'query.too-large' });
  });

  it.each([
    ['a zone that does not exist', { timeZone: 'Mars/Olympus' }],
    ['an interval of nothing', { every: { ms: 0 } }],
    ['a limit of nothing', { limit: 0 }],
    ['a beginning after the end', { fromMs: NOON + 5 * DAY_MS }],
  ])('refuses %s before it asks for anything', async (_, change) => {
    await expect(queries.aggregate({ ...aggregate, ...change })).rejects.toMatchObject({ code: 'request.invalid' });
    expect(store.calls).toEqual([]);
  });
});
