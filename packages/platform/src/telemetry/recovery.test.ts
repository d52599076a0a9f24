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

function append(device: string, payload: unknown): void {
  log.append(0, store.clock.now(), [[device, payload]]);
}

/** Consumes what there is. @returns the device and the payload of each dead letter, oldest first */
function deadLetters(): [device: string, payload: string][] {
  store.consume();
  const { deadLetters: letters, catalog } = store.writer;
  letters.makeDurable(catalog.log);
  const db = openDeadLettersForRead(store.dir);
  const rows = db.prepare('SELECT device, payload FROM dead_letter ORDER BY id').all();
  db.close();
  return rows.map(({ device, payload }) => [String(device), new TextDecoder().decode(payload as Uint8Array)]);
}

test('a device that is made anew keeps what takes the offsets that the log has lost of the removed one', async () => {
  append('a', { ts: 1, n: 1 });
  append('a', { ts: 2, n: 2 });
  store.writer.forget('a', [log.end(0)]);
  log.cut(0, 1);
  await store.crash();
  append('a', { ts: 3, n: 3 });
  store.consume();
  expect(store.stored()).toEqual({ a: { n: [[3, 3]] } });
});

test('a dead letter is kept that takes the offset of one that the log has lost', async () => {
  append('a', 'lost by the log');
  expect(deadLetters()).toEqual([['a', 'lost by the log']]);
  log.cut(0, 0);
  await store.crash();
  append('b', 'new');
  expect(deadLetters()).toEqual([
    ['a', 'lost by the log'],
    ['b', 'new'],
  ]);
});

test.for(['before the removal the log is another one', 'after it the log loses its last record'])(
  'dead letters of a removed device do not come back with a power loss when %s',
  async (what) => {
    append('a', 'removed');
    expect(deadLetters()).toEqual([['a', 'removed']]);
    if (what.startsWith('before')) log.identity = 'log-2';
    await store.crash();
    append('b', 'kept');
    append('b', 'may be lost');
    store.writer.forget('a', [log.end(0)]);
    if (what.startsWith('after')) log.cut(0, 2);
    await store.crash((file) => file.includes('dead-letters'));
    const letters = deadLetters();
    expect(letters.filter(([device]) => device === 'a')).toEqual([]);
    expect(letters).toContainEqual(['b', 'kept']);
  },
);
