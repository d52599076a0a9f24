import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { ChunkReader } from '../chunk-reader.ts';
import { DAY_MS, DAY_STALE, HOUR_MS, openDayFileForRead } from '../day-file-schema.ts';
import { FakeLog } from '../fake-log.ts';
import { Maintenance } from '../maintenance.ts';
import { StoreHarness } from '../store-harness.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { rollupFilePath, rollupFolder } from './rollup-file.ts';
import { naiveRollups, readRollups, type ReadRollups } from './rollup-model.ts';

const DAY = 20_700;
const MIDNIGHT = DAY * DAY_MS;

let log: FakeLog;
let store: StoreHarness;

beforeEach(() => {
  log = new FakeLog(1);
  store = new StoreHarness(log);
});

afterEach(() => store[Symbol.dispose]());

/** Points as [hour, value]; they are stored, durably. */
function send(points: readonly (readonly [hour: number, value: PointValue])[], device = 'a'): void {
  const samples = points.map(([hour, n]) => ({ ts: MIDNIGHT + hour * HOUR_MS, values: { n } }));
  log.append(0, store.clock.now(), [[device, samples]]);
  store.consume();
  store.seal();
  store.saveLowWater();
}

function read(device = 'a'): ReadRollups {
  return readRollups(store, device, [DAY]).get('n')!;
}

function expectPoints(points: readonly (readonly [hour: number, value: PointValue])[], rolledHours: number): void {
  const model = [new Map(points.map(([hour, value]) => [MIDNIGHT + hour * HOUR_MS, value]))];
  const found = read();
  expect(found.hours).toEqual(naiveRollups(model, HOUR_MS));
  expect(found.rolledHours).toBe(rolledHours);
  if (found.days.length > 0) expect(found.days).toEqual(naiveRollups(model, DAY_MS));
}

function staleHours(series = 1): number {
  using reader = new ChunkReader({ telemetryDir: store.dir });
  return reader.staleHours(DAY, series);
}

function versions(): { readonly meta: Record<string, number>; readonly hours: Record<string, number> } {
  const db = openDayFileForRead(store.dir, DAY);
  const pairs = (sql: string): Record<string, number> =>
    Object.fromEntries(
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row) as [string, number]),
    );
  const found = { meta: pairs('SELECT name, value FROM meta'), hours: pairs('SELECT hour, version FROM hour') };
  db.close();
  return found;
}

describe('hours', () => {
  test('are stale from the commit that stores points of them until they are in the rollups', async () => {
    await store.open();
    send([
      [1.5, 1],
      [3, 2],
    ]);
    expect(staleHours()).toBe((1 << 1) | (1 << 3) | DAY_STALE);
    expect(store.writer.hot.read({ device: 'a', metrics: undefined, fromMs: MIDNIGHT, toMs: MIDNIGHT + 1 }).unrolledDays).toEqual(
      [DAY],
    );
    expect(store.writer.hot.read({ device: 'a', metrics: undefined, fromMs: 0, toMs: MIDNIGHT }).unrolledDays).toEqual([]);
    store.rollUp();
    expect(staleHours()).toBe(0);
    expect(store.writer.unrolled.all).toEqual([]);
    expectPoints(
      [
        [1.5, 1],
        [3, 2],
      ],
      2,
    );
    await store.crash((file) => file.includes('days'));
    expect(staleHours()).toBe(0);
    send([[3.2, 5]]);
    expect(staleHours()).toBe((1 << 3) | DAY_STALE);
    expectPoints(
      [
        [1.5, 1],
        [3, 2],
        [3.2, 5],
      ],
      1,
    );
    await store.crash();
    expectPoints(
      [
        [1.5, 1],
        [3, 2],
        [3.2, 5],
      ],
      1,
    );
    store.rollUp();
    expectPoints(
      [
        [1.5, 1],
        [3, 2],
        [3.2, 5],
      ],
      2,
    );
  });

  test('of today are rolled up as they end, and the day when it does', async () => {
    await store.open();
    store.clock.step(MIDNIGHT + 3 * HOUR_MS + 60_000 - store.clock.now());
    send([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    store.rollUp();
    expect(staleHours()).toBe((1 << 2) | (1 << 3) | DAY_STALE);
    store.clock.advance(12 * 60_000);
    store.rollUp();
    expect(staleHours()).toBe((1 << 3) | DAY_STALE);
    expect(store.writer.unrolled.all).toEqual([DAY]);
    store.clock.advance(DAY_MS);
    store.rollUp();
    expect(staleHours()).toBe(0);
    expect(store.writer.unrolled.all).toEqual([]);
    expect(read().days).toEqual(
      naiveRollups([new Map([0, 1, 2, 3].map((hour) => [MIDNIGHT + hour * HOUR_MS, hour + 1]))], DAY_MS),
    );
  });

  test('have a version that each commit of points raises, and that no power loss gives a second time', async () => {
    await store.open();
    send([
      [1, 1],
      [2, 1],
    ]);
    const first = versions();
    expect(first.hours).toEqual({ 1: first.meta['version'], 2: first.meta['version'] });
    // Not durable: no low-water mark after it.
    log.append(0, store.clock.now(), [['a', { ts: MIDNIGHT + 2 * HOUR_MS + 5, n: 2 }]]);
    store.consume();
    store.seal();
    const lost = versions();
    expect(lost.hours[1]).toBe(first.hours[1]);
    expect(lost.hours[2]).toBeGreaterThan(first.hours[2]!);
    await store.crash((file) => file.includes('days'));
    expect(versions()).toEqual(first);
    store.consume();
    store.seal();
    expect(versions().hours[2]).toBeGreaterThan(lost.hours[2]!);
    expect(versions().meta['generation']).toBe(first.meta['generation']);
    store.compact();
    const compacted = versions();
    store.rollUp();
    expect(versions().hours).toEqual(compacted.hours);
    expect(versions().meta['version']).toBeGreaterThan(compacted.meta['version']!);
  });
});

/** Seals a point of the device, not durably. */
function sealOne(device: string, hour: number, n: PointValue): void {
  log.append(0, store.clock.now(), [[device, { ts: MIDNIGHT + hour * HOUR_MS, n }]]);
  store.consume();
  store.seal();
}

test.each([0, 1, 2, 3, 4, 5])('points that come after slice %i of a pass are rolled up by the next one', async (slices) => {
  await store.open();
  send([[1, 1]]);
  send([[1, 1]], 'b');
  store.clock.advance(61_000);
  for (let slice = 0; slice < slices; slice++) store.writer.rollups.step();
  sealOne('a', 1.5, 2);
  sealOne('b', 1.5, 2);
  while (store.writer.rollups.step());
  expect(read().hours[0]!.count).toBe(2);
  expect(read('b').hours[0]!.count).toBe(2);
  store.rollUp();
  expect(store.writer.unrolled.all).toEqual([]);
  expect(read().hours).toEqual(read('b').hours);
  expectPoints(
    [
      [1, 1],
      [1.5, 2],
    ],
    1,
  );
});

test.each([0, 1, 2, 3])(
  'a power loss takes nothing out of the day file that is in a rollup, also of what came after slice %i',
  async (slices) => {
    await store.open();
    sealOne('a', 1, 1);
    sealOne('b', 1, 1);
    store.clock.advance(61_000);
    for (let slice = 0; slice < slices; slice++) store.writer.rollups.step();
    sealOne('b', 2, 2);
    while (store.writer.rollups.step());
    // The log has lost its records too: nothing brings the points back.
    log.cut(0, 0);
    await store.crash((file) => file.includes('days'));
    store.consume();
    for (const device of ['a', 'b']) {
      const found = new Map(store.stored()[device]?.['n'] ?? []);
      expect(read(device)?.hours ?? []).toEqual(naiveRollups([found], HOUR_MS));
    }
  },
);

describe('what is broken', () => {
  const POINTS: [number, PointValue][] = [
    [1, 1],
    [2, 'on'],
    [3, true],
  ];

  beforeEach(async () => {
    await store.open();
    send(POINTS);
    store.rollUp();
    expectPoints(POINTS, 3);
  });

  test.each(['1h', '1d'] as const)('a file of rollups (%s) is set aside, and what it had is computed again', async (level) => {
    await store.crash();
    const path = rollupFilePath(store.dir, level, DAY);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    writeFileSync(path, 'this is no database'.repeat(1000));
    await store.crash();
    send([[4, 4]]);
    store.clock.advance(61_000);
    expect(() => {
      while (store.writer.rollups.step());
    }).toThrow(/could not be used/);
    if (level === '1h') expect(() => read()).toThrow();
    while (store.writer.rollupFiles.broken !== undefined) store.writer.rollups.step();
    expectPoints([...POINTS, [4, 4]], level === '1h' ? 0 : 3);
    store.rollUp();
    store.rollUp();
    expectPoints([...POINTS, [4, 4]], 4);
    expect(read().days.length).toBe(1);
    expect(readdirSync(rollupFolder(store.dir, level)).filter((name) => name.includes('.broken-')).length).toBeGreaterThan(0);
  });

  test('a row of rollups that is gone or unreadable is made whole from the points when one comes late', () => {
    for (const spoil of ['DELETE FROM rollup', "UPDATE rollup SET data = x'01020304'"]) {
      for (const level of ['1h', '1d'] as const) store.writer.rollupFiles.use(level, DAY).db.exec(spoil);
      send([[3, false]]);
      store.rollUp();
      expectPoints([...POINTS.slice(0, 2), [3, false]], 3);
      expect(read().days.length).toBe(1);
    }
  });

  test.each(['1h', '1d'] as const)(
    'a file of rollups (%s) that somebody has removed is made again, from the points',
    async (level) => {
      store.rollUp();
      store.rollUp();
      for (const name of readdirSync(rollupFolder(store.dir, level))) rmSync(join(rollupFolder(store.dir, level), name));
      await store.crash();
      store.consume();
      expect(store.writer.unrolled.all).toEqual([]);
      store.rollUp();
      store.rollUp();
      expectPoints(POINTS, 3);
      expect(read().days.length).toBe(1);
      // And is not again at the next start.
      await store.crash();
      store.consume();
      expect(store.writer.rollups.step()).toBe(false);
      expect(store.writer.unrolled.all).toEqual([]);
    },
  );
});

describe('what cannot be written', () => {
  test.each(['1h', '1d'] as const)('on a full volume no mark is cleared before its rollup (%s) is there', async (level) => {
    await store.open();
    const points = Array.from({ length: 24 }, (_, hour): [number, PointValue] => [hour, `text of hour ${hour} `.repeat(40)]);
    send(points);
    const { db } = store.writer.rollupFiles.use(level, DAY);
    // SQLITE_FULL, as from a full volume.
    db.exec('PRAGMA max_page_count = 3');
    store.clock.advance(61_000);
    expect(() => {
      while (store.writer.rollups.step());
    }).toThrow(/could not be used/);
    expect(staleHours()).not.toBe(0);
    expectPoints(points, 0);
    store.rollUp();
    expect(staleHours()).toBe(0);
    expectPoints(points, 24);
  });

  test('rollups that fail do not keep points from being stored, and are made when they can be', async () => {
    await store.open();
    const maintenance = new Maintenance({
      writer: store.writer,
      clock: store.clock,
      logLines: silentLogLines,
      lowWaterEveryMs: 1000,
      onLowWater: () => undefined,
    });
    const run = (turns: number): void => {
      for (let i = 0; i < turns; i++) {
        store.clock.advance(100);
        maintenance.run(true);
      }
    };
    const folder = rollupFolder(store.dir, '1h');
    renameSync(folder, `${folder}-moved`);
    writeFileSync(folder, 'in the way');
    send([[1, 1]]);
    run(1500);
    expect(maintenance.rollUpFailures).toBeGreaterThan(2);
    // It waits longer after each failure.
    expect(maintenance.rollUpFailures).toBeLessThan(10);
    expect([maintenance.failing, maintenance.failures]).toEqual([false, 0]);
    log.append(0, store.clock.now(), [['a', { ts: MIDNIGHT + 2 * HOUR_MS, n: 2 }]]);
    store.consume();
    store.writer.policy.all();
    run(20);
    expect(store.writer.memtable.points).toBe(0);
    rmSync(folder);
    renameSync(`${folder}-moved`, folder);
    run(2000);
    expect(store.writer.unrolled.all).toEqual([]);
    expectPoints(
      [
        [1, 1],
        [2, 2],
      ],
      2,
    );
  });
});

test('a day that is rolled up gives back the room of its write-ahead log', async () => {
  await store.open();
  send([[3, 1]]);
  const logFile = `${store.writer.files.pathOf(DAY)!}-wal`;
  expect(statSync(logFile).size).toBeGreaterThan(0);
  store.rollUp();
  expect(store.writer.unrolled.has(DAY)).toBe(false);
  expect(statSync(logFile).size).toBe(0);
});

test('a removed device leaves no rollups, also where they are made while it is being removed', async () => {
  await store.open();
  send([[1, 1]]);
  send([[1, 1]], 'b');
  store.clock.advance(61_000);
  const { writer } = store;
  // Found, and computed, but not written.
  for (let slice = 0; slice < 3; slice++) writer.rollups.step();
  expect(writer.rollups.waiting).toBeGreaterThan(0);
  writer.forget('a', [log.end(0)]);
  while (writer.rollups.step());
  while (writer.eraser.busy) writer.eraser.step();
  store.rollUp();
  for (const level of ['1h', '1d'] as const) {
    const rows = writer.rollupFiles.use(level, DAY).db.prepare('SELECT series FROM rollup').all();
    expect(rows).toEqual([{ series: 2 }]);
  }
});
