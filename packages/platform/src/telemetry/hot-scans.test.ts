import { expect, test } from 'vitest';
import { DAY_MS } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import type { HotScanPage, HotScanQuery } from './hot-calls.ts';
import { HotScans } from './hot-scans.ts';
import { StoreHarness } from './store-harness.ts';

const T0 = 20_000 * DAY_MS;
const ALL = { devices: undefined, metrics: undefined, fromMs: -Infinity, toMs: Infinity };

async function open(devices: number): Promise<{ store: StoreHarness; scans: HotScans; log: FakeLog }> {
  const log = new FakeLog(1);
  const store = new StoreHarness(log);
  await store.open();
  for (let i = 0; i < devices; i++) log.append(0, store.clock.now(), [[`d${i}`, { ts: T0 + i, values: { a: i, b: `t${i}` } }]]);
  store.consume();
  return { store, log, scans: scansOf(store) };
}

/** Each look at the clock takes so long that a slice is over. */
function scansOf({ writer }: StoreHarness): HotScans {
  let now = 0;
  return new HotScans({ hot: writer.hot, devices: writer.devices, clock: { monotonicMs: () => (now += 10) } });
}

function pages(scans: HotScans, query: Omit<HotScanQuery, 'scan'>, between: () => void = () => {}): HotScanPage[] {
  const all: HotScanPage[] = [];
  for (let scan: number | undefined; ;) {
    const page = scans.page({ ...query, scan });
    all.push(page);
    scan = page.scan;
    if (scan === undefined) return all;
    between();
  }
}

const names = (all: readonly HotScanPage[]): string[] =>
  all.flatMap(({ series }) =>
    series.map(({ device, metric, times, values }) => `${device} ${metric} ${times[0]! - T0} ${String(values[0])}`),
  );

test('What is in memory of all devices comes in pages, each series once', async () => {
  const { store, scans } = await open(300);
  const all = pages(scans, ALL);
  expect(all.length).toBeGreaterThan(3);
  expect(names(all).sort()).toEqual(
    Array.from({ length: 300 }, (_, i) => [`d${i} a ${i} ${i}`, `d${i} b ${i} t${i}`])
      .flat()
      .sort(),
  );
  store[Symbol.dispose]();
});

test('Devices, metrics and time are chosen; what has no points there is not listed', async () => {
  const { store, scans } = await open(10);
  expect(names(pages(scans, { ...ALL, devices: ['d3', 'nobody', 'd1'], metrics: ['a'] }))).toEqual(['d3 a 3 3', 'd1 a 1 1']);
  expect(names(pages(scans, { ...ALL, metrics: ['a'], fromMs: T0 + 2, toMs: T0 + 4 }))).toEqual(['d2 a 2 2', 'd3 a 3 3']);
  store.seal();
  expect(pages(scans, ALL)).toMatchObject([{ series: [], unrolledDays: [20_000] }]);
  store[Symbol.dispose]();
});

test('Devices come and go between two pages', async () => {
  const { store, scans, log } = await open(200);
  let added = 0;
  const all = pages(scans, ALL, () => {
    store.writer.forget('d199', [log.end(0)]);
    log.append(0, store.clock.now(), [[`new${added++}`, { ts: T0, values: { a: 1 } }]]);
    store.consume();
  });
  const found = new Set(all.flatMap(({ series }) => series.map(({ device }) => device)));
  expect([found.has('d0'), found.has('d198'), found.has('d199')]).toEqual([true, true, false]);
  store[Symbol.dispose]();
});

test('A scan that is over is told so, and only so many are under way', async () => {
  const { store, scans } = await open(200);
  const first = scans.page({ ...ALL, scan: undefined });
  expect(() => scans.page({ ...ALL, scan: first.scan! + 1 })).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  for (let i = 0; i < 7; i++) scans.page({ ...ALL, scan: undefined });
  expect(() => scans.page({ ...ALL, scan: undefined })).toThrow(
    expect.objectContaining({ code: 'query.too-large', retryable: true }),
  );
  expect(scans.page({ ...ALL, scan: first.scan }).series.length).toBeGreaterThan(0);
  // Those that nobody goes on with make room after a while.
  for (let looks = 0; looks < 3_100; looks++) expect(() => scans.page({ ...ALL, scan: -1 })).toThrow('over');
  expect(scans.page({ ...ALL, scan: undefined }).scan).toBeDefined();
  store[Symbol.dispose]();
});
