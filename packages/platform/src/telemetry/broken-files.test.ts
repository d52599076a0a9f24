import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deadLettersPath, openDeadLettersForRead } from './dead-letter-schema.ts';
import { dayOf } from './day-file-schema.ts';
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
  store.consume();
}

function deadLetters(): [string, number][] {
  const db = openDeadLettersForRead(store.dir);
  const rows = db.prepare('SELECT device, "offset" FROM dead_letter ORDER BY id').all();
  db.close();
  return rows.map((row) => [String(row['device']), Number(row['offset'])]);
}

test('a broken file of dead letters is set aside, and the log may drop what is stored', () => {
  for (const suffix of ['-wal', '-shm']) rmSync(deadLettersPath(store.dir) + suffix, { force: true });
  writeFileSync(deadLettersPath(store.dir), 'no database at all'.repeat(500));
  append('a', 'bad');
  expect(() => store.saveLowWater()).toThrow('not a database');
  store.saveLowWater();
  expect(log.released).toEqual([1]);
  expect(deadLetters()).toEqual([['a', 0]]);
});

test('dead letters of a removed device do not come back with a power loss', async () => {
  append('a', 'bad');
  append('b', 'bad');
  store.saveLowWater();
  store.writer.forget('a', [log.end(0)]);
  append('a', 'bad, but of a new device of that name');
  store.writer.deadLetters.write(store.writer.catalog.log);
  await store.crash((file) => file.includes('dead-letters'));
  store.consume();
  store.saveLowWater();
  expect(deadLetters()).toEqual([
    ['b', 1],
    ['a', 2],
  ]);
});

/** Seals what is in memory of one device. */
function seal(device: string): void {
  const { devices, memtable } = store.writer;
  for (const series of devices.find(device)!.series) for (const buffer of memtable.buffersOf(series)) memtable.makeDue(buffer);
  while (memtable.dueBuffers > 0) store.writer.seal();
}

test('what is written to a day again after its file was set aside is not stored twice after a kill', async () => {
  append('a', { n: 0 });
  seal('a');
  store.clock.advance(1000);
  append('waits', { n: 1 });
  append('a', { n: 2 });
  seal('a');
  // The mark stays before what waits, so that the day has rows that it has not passed.
  store.saveLowWater();
  expect(log.released).toEqual([1]);
  store.writer.files.failed(dayOf(store.clock.now()), Object.assign(new Error('malformed'), { errcode: 11 }));
  for (const device of ['a', 'b']) {
    append(device, { n: 3 });
    seal(device);
  }
  await store.crash();
  store.consume();
  // What was in the file that was set aside is told to be stored, and is in that file.
  expect(store.writer.consumer.skippedPoints).toBe(3);
});
