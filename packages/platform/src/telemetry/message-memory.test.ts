import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MessageMemory, PartitionOffsets } from '../payloads/message-memory.ts';
import { FakeLog } from './fake-log.ts';
import { StoreHarness } from './store-harness.ts';

const NOW = 1_790_000_000_000;

/** Keeps what it was told, with the mark that was durable then. */
class FakeMemory implements MessageMemory {
  readonly told: unknown[] = [];
  fault: Error | undefined;
  mark: () => PartitionOffsets = () => new Map();

  open(log: number, starts: PartitionOffsets): void {
    this.told.push(['open', log, Object.fromEntries(starts)]);
  }
  makeDurable(lowWater: PartitionOffsets): void {
    if (this.fault !== undefined) throw this.fault;
    this.told.push(['durable', Object.fromEntries(lowWater), Object.fromEntries(this.mark())]);
  }
  caughtUp(): void {
    this.told.push(['caught up']);
  }
  forget(device: string, before?: PartitionOffsets): void {
    this.told.push(['forget', device, ...(before === undefined ? [] : [Object.fromEntries(before)])]);
  }
  close(): void {}

  taken(): unknown[] {
    return this.told.splice(0);
  }
}

let log: FakeLog;
let memory: FakeMemory;
let store: StoreHarness;

beforeEach(async () => {
  log = new FakeLog(1);
  memory = new FakeMemory();
  store = new StoreHarness(log, { memory });
  await store.open();
  memory.mark = () => store.writer.catalog.lowWater();
});
afterEach(() => store[Symbol.dispose]());

test('what is remembered is on disk before the mark passes it, and is opened where the log is read from', async () => {
  store.consume();
  expect(memory.taken()).toEqual([['open', 1, { 0: 0 }], ['caught up']]);
  log.append(0, NOW, [['a', { x: 1 }], ['a', { x: 2 }]]); // prettier-ignore
  store.consume();
  store.seal();
  store.saveLowWater();
  expect(memory.taken()).toEqual([['caught up'], ['durable', { 0: 0 }, {}]]);
  log.append(0, NOW, [['a', { x: 3 }]]);
  store.consume();
  store.seal();
  store.saveLowWater();
  // The mark of the round before is what may be forgotten up to.
  expect(memory.taken()).toEqual([['caught up'], ['durable', { 0: 2 }, { 0: 2 }]]);
  log.append(0, NOW, [['a', { x: 4 }]]);
  store.consume();
  memory.taken();
  await store.crash();
  expect(memory.taken()).toEqual([['open', 1, { 0: 3 }]]);
});

test('where it cannot be written the mark stays', () => {
  log.append(0, NOW, [['a', { x: 1 }]]);
  store.consume();
  store.seal();
  memory.fault = new Error('disk full');
  expect(() => store.saveLowWater()).toThrow('disk full');
  expect(store.writer.catalog.lowWater().size).toBe(0);
  memory.fault = undefined;
  store.saveLowWater();
  expect(store.writer.catalog.lowWater()).toEqual(new Map([[0, 1]]));
});

test('a device that is removed is forgotten, also what a crash has brought back', async () => {
  log.append(0, NOW, [['a', { x: 1 }]]);
  store.consume();
  memory.taken();
  store.writer.forget('a', [1]);
  expect(memory.taken()).toEqual([['forget', 'a']]);
  await store.crash();
  expect(memory.taken()).toEqual([
    ['open', 1, { 0: 0 }],
    ['forget', 'a', { 0: 1 }],
  ]);
});
