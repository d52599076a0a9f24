import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDeadLettersForRead } from './dead-letter-schema.ts';
import { DeadLetterStore, MAX_DEAD_LETTERS } from './dead-letter-store.ts';

let dir: string;
let store: DeadLetterStore;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'selsyn-dead-letters-'));
  store = new DeadLetterStore(dir);
});

afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function add(offset: number): void {
  const data = new Uint8Array(5000).fill(offset % 256);
  store.add({
    partition: 0,
    offset,
    arrivalMs: 1,
    device: 'a',
    topic: 't'.repeat(60_000),
    code: 'telemetry.malformed',
    reason: 'r'.repeat(10_000),
    data,
    start: 10,
    end: 5000,
  });
}

function offsets(): number[] {
  const db = openDeadLettersForRead(dir);
  const rows = db
    .prepare('SELECT "offset", length(topic) + length(reason) + length(payload) AS size FROM dead_letter ORDER BY id')
    .all();
  db.close();
  expect(Math.max(...rows.map(({ size }) => Number(size)))).toBeLessThan(2000);
  return rows.map(({ offset }) => Number(offset));
}

test('of a flood it keeps the newest, in order, each cut to size', () => {
  for (let offset = 0; offset < MAX_DEAD_LETTERS + 7; offset++) add(offset);
  expect(store.waiting).toBe(MAX_DEAD_LETTERS);
  expect(store.makeDurable(1)).toBe(true);
  const first = offsets();
  expect([first.length, first[0], first.at(-1)]).toEqual([MAX_DEAD_LETTERS, 7, MAX_DEAD_LETTERS + 6]);
  add(MAX_DEAD_LETTERS + 7);
  expect(store.write(1)).toBe(false);
  expect(offsets()).toEqual([...first.slice(1), MAX_DEAD_LETTERS + 7]);
  expect(store.byCode.get('telemetry.malformed')).toBe(MAX_DEAD_LETTERS + 8);
});

test('a record that comes again in a replay is not kept twice, but the same offset of another log is', () => {
  add(5);
  store.makeDurable(1);
  add(5);
  store.makeDurable(1);
  expect(offsets()).toEqual([5]);
  add(5);
  store.makeDurable(2);
  expect(offsets()).toEqual([5, 5]);
});

test('it keeps the bytes as they were, also when the reader fills its buffer anew before they are written', () => {
  const data = Buffer.from('{"temperature":[1,2]}');
  store.add({
    partition: 0,
    offset: 1,
    arrivalMs: 1,
    device: 'a',
    topic: 'telemetry/a',
    code: 'telemetry.malformed',
    reason: 'an array',
    data,
    start: 0,
    end: data.length,
  });
  data.fill('x');
  store.makeDurable(1);
  const db = openDeadLettersForRead(dir);
  const kept = db.prepare('SELECT payload FROM dead_letter').get()?.['payload'];
  db.close();
  expect(Buffer.from(kept as Uint8Array).toString()).toBe('{"temperature":[1,2]}');
});
