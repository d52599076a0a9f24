import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeLog } from './fake-log.ts';
import { StoreHarness } from './store-harness.ts';

const HOUR_MS = 3_600_000;

let log: FakeLog;
let store: StoreHarness;

beforeEach(async () => {
  log = new FakeLog(1);
  store = new StoreHarness(log, { sealAfterMs: 1000 });
  await store.open();
});

afterEach(() => store[Symbol.dispose]());

let sent = 0;

/** Three samples without a time, that arrive together. */
function append(): void {
  log.append(
    0,
    store.clock.now(),
    Array.from({ length: 3 }, (): [string, unknown] => ['a', { n: sent++ }]),
  );
}

test.for(['while it runs', 'while it is stopped'])(
  'samples without a time keep one each when the clock is set back %s',
  async (when) => {
    sent = 0;
    append();
    store.consume();
    store.seal();
    store.saveLowWater();
    store.clock.step(-HOUR_MS);
    if (when === 'while it is stopped') await store.crash();
    for (let i = 0; i < 3; i++) {
      append();
      store.consume();
      store.clock.advance(500);
      store.seal();
      store.saveLowWater();
      await store.crash();
    }
    const stored = store.stored()['a']!['n']!.map(([, n]) => n);
    expect([...stored].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: sent }, (_, n) => n));
  },
);

test('what is in memory is written in time when the clock is set back', () => {
  append();
  store.consume();
  store.clock.step(-HOUR_MS);
  store.clock.advance(1001);
  store.writer.policy.byAge(store.clock.monotonicMs(), store.writer.consumer.records);
  expect(store.writer.memtable.dueBuffers).toBe(1);
});
