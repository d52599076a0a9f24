import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { DAY_MS, HOUR_MS, openDayFileForRead } from '../day-file-schema.ts';
import { STEP_MS } from '../eraser.ts';
import { FakeLog } from '../fake-log.ts';
import { Maintenance } from '../maintenance.ts';
import { StoreHarness } from '../store-harness.ts';
import { rollupFilePath } from './rollup-file.ts';

const DAY = 20_700;

let log: FakeLog;
let store: StoreHarness;
let maintenance: Maintenance;
/** Days of which every use fails, as with a bad sector. */
let bad: Set<number>;
/** Uses of them. */
let tries: number;

beforeEach(async () => {
  log = new FakeLog(1);
  store = new StoreHarness(log);
  await store.open();
  [bad, tries] = [new Set(), 0];
  const { files } = store.writer;
  const use = files.use.bind(files);
  files.use = (day) => {
    if (!bad.has(day)) return use(day);
    tries++;
    throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10 });
  };
  maintenance = new Maintenance({
    writer: store.writer,
    clock: store.clock,
    logLines: silentLogLines,
    lowWaterEveryMs: Infinity,
    onLowWater: () => undefined,
  });
});

afterEach(() => store[Symbol.dispose]());

/** A point of each of these days, stored and durable. */
function send(days: readonly number[], device = 'a'): void {
  for (const day of days) log.append(0, store.clock.now(), [[device, { ts: day * DAY_MS + HOUR_MS, n: day }]]);
  store.consume();
  store.seal();
  store.saveLowWater();
}

/** So many seconds of the processor's idle time. */
function run(seconds: number): void {
  for (let i = 0; i < seconds * 10; i++) {
    store.clock.advance(100);
    maintenance.run(true);
  }
}

function chunksOf(day: number): number {
  const db = openDayFileForRead(store.dir, day);
  const count = Number(db.prepare('SELECT count(*) AS count FROM chunk').get()?.['count']);
  db.close();
  return count;
}

test('a day that always fails keeps no other from being rolled up, and is rolled up when it can be', () => {
  send([DAY, DAY + 1, DAY + 2]);
  bad.add(DAY + 2);
  run(150);
  expect(store.writer.unrolled.all).toEqual([DAY + 2]);
  expect(tries).toBeGreaterThan(2);
  // It waits longer after each failure.
  expect(tries).toBeLessThan(20);
  send([DAY + 1], 'late');
  run(150);
  expect(store.writer.unrolled.all).toEqual([DAY + 2]);
  bad.clear();
  run(700);
  expect(store.writer.unrolled.all).toEqual([]);
});

test('while a reader is in the way of a day the others are rolled up', () => {
  send([DAY, DAY + 1]);
  const { files } = store.writer;
  const makeDurable = files.makeDurable.bind(files);
  files.makeDurable = (day) => day !== DAY + 1 && makeDurable(day);
  run(120);
  expect(store.writer.unrolled.all).toEqual([DAY + 1]);
  files.makeDurable = makeDurable;
  run(10);
  expect(store.writer.unrolled.all).toEqual([]);
});

test('a lost file of rollups that cannot be made again keeps no other day from being rolled up', () => {
  send([DAY, DAY - 60]);
  run(120);
  expect(store.writer.unrolled.all).toEqual([]);
  store.writer.rollupFiles.closeFile('1h', DAY);
  rmSync(rollupFilePath(store.dir, '1h', DAY));
  store.writer.rollupFiles.refresh();
  store.writer.rollups.open();
  bad.add(DAY);
  run(10);
  expect(tries).toBeGreaterThan(0);
  send([DAY - 60], 'late');
  run(120);
  expect(store.writer.unrolled.all).toEqual([DAY]);
  bad.clear();
  run(700);
  expect(store.writer.unrolled.all).toEqual([]);
});

test('a day of which nothing can be erased keeps the others from nothing: they are erased, rolled up, and written to', () => {
  send([DAY, DAY + 1, DAY + 2]);
  store.writer.forget('a', [...store.writer.positions]);
  bad.add(DAY + 2);
  send([DAY + 1], 'b');
  run(150);
  expect([chunksOf(DAY), chunksOf(DAY + 1), chunksOf(DAY + 2)]).toEqual([0, 1, 1]);
  expect(store.writer.eraser.busy).toBe(true);
  expect(store.writer.unrolled.all).toEqual([DAY + 2]);
  expect(maintenance.failing).toBe(false);
  bad.clear();
  run(700);
  expect([chunksOf(DAY + 2), store.writer.eraser.busy]).toEqual([0, false]);
});

test('as many days are erased at once as there is time for, and the thread is called for the rest', () => {
  const days = Array.from({ length: 12 }, (_, n) => DAY + n);
  const left = (): number => days.filter((day) => chunksOf(day) > 0).length;
  send(days);
  run(700);
  store.writer.forget('a', [...store.writer.positions]);
  // Where a day takes no time, all of them.
  maintenance.run(true);
  expect([left(), store.writer.eraser.busy, maintenance.nextTurnMs]).toEqual([0, false, undefined]);

  send(days, 'b');
  run(700);
  store.writer.forget('b', [...store.writer.positions]);
  const { files } = store.writer;
  const has = files.has.bind(files);
  files.has = (day) => {
    store.clock.advance(STEP_MS / 2);
    return has(day);
  };
  maintenance.run(true);
  expect([left(), maintenance.nextTurnMs]).toEqual([10, 50]);
  run(60);
  expect([left(), store.writer.eraser.busy]).toEqual([0, false]);
});

test('a day that cannot be compacted keeps no other from it', () => {
  const today = Math.floor(store.clock.now() / DAY_MS);
  for (let i = 0; i < 20; i++) send([today], 'a');
  bad.add(today);
  // Until its turn has come, and after it.
  run(3_700);
  expect(tries).toBeGreaterThan(0);
  for (let i = 0; i < 20; i++) {
    log.append(0, store.clock.now(), [['a', { ts: DAY * DAY_MS + i * 1000, n: i }]]);
    store.consume();
    store.seal();
  }
  run(200);
  expect(chunksOf(DAY)).toBe(1);
});
