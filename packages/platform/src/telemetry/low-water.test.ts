import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDeadLettersForRead } from './dead-letter-schema.ts';
import { FakeLog } from './fake-log.ts';
import { StoreHarness } from './store-harness.ts';

let log: FakeLog;
let store: StoreHarness;

beforeEach(async () => {
  log = new FakeLog(1);
  store = new StoreHarness(log);
  await store.open();
});

afterEach(() => store[Symbol.dispose]());

function append(metric: string): void {
  log.append(0, store.clock.now(), [['a', { ts: 1, [metric]: 1 }]]);
}

test('the mark does not go back for what is consumed right after a round that left nothing in memory', () => {
  append('n');
  store.consume();
  store.seal();
  store.saveLowWater();
  expect(log.released).toEqual([1]);
  append('n');
  store.consume();
  store.saveLowWater();
  expect(log.released).toEqual([1]);
  store.seal();
  store.saveLowWater();
  expect(log.released).toEqual([2]);
});

test('a removed device does not come back with a kill after two rounds within one step of consumption', async () => {
  append('removed');
  store.writer.forget('a', [log.end(0)]);
  store.consume();
  append('n');
  store.saveLowWater();
  store.consume();
  store.saveLowWater();
  await store.crash();
  store.consume();
  expect(store.stored()).toEqual({ a: { n: [[1, 1]] } });
});

test('the log keeps what became a dead letter until a power loss cannot take the letter', async () => {
  log.append(0, store.clock.now(), [['a', 'no telemetry']]);
  store.consume();
  append('n');
  store.saveLowWater();
  expect(log.released.length).toBeGreaterThan(0);
  await store.crash((file) => file.includes('dead'));
  store.consume();
  store.writer.deadLetters.makeDurable(store.writer.catalog.log);
  const db = openDeadLettersForRead(store.dir);
  expect(db.prepare('SELECT device, "offset" FROM dead_letter').all()).toEqual([{ device: 'a', offset: 0 }]);
  db.close();
});
