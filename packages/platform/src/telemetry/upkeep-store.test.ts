import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DAY_MS } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import { StoreHarness } from './store-harness.ts';

let log: FakeLog;
let store: StoreHarness;
let day: number;

beforeEach(async () => {
  log = new FakeLog(1);
  store = new StoreHarness(log);
  await store.open();
  day = Math.floor(store.clock.now() / DAY_MS) - 10;
  append({ a: 1, b: 2 });
  settle();
});
afterEach(() => store[Symbol.dispose]());

function append(values: Record<string, number>, hour = 1): void {
  log.append(0, store.clock.now(), [['d', { ts: day * DAY_MS + hour * 3_600_000, values }]]);
}

function settle(): void {
  store.consume();
  store.seal();
  store.saveLowWater();
  for (let round = 0; round < 100 && store.writer.unrolled.has(day); round++) {
    store.clock.advance(70_000);
    while (store.writer.rollups.step());
  }
  store.saveLowWater();
}

function path(): string {
  return store.writer.upkeep.storeFiles().days[0]!.path;
}

function meta(file = path()): { generation: number; version: number } {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = new Map(
    db
      .prepare('SELECT name, value FROM meta')
      .all()
      .map((row) => [row['name'], Number(row['value'])]),
  );
  db.close();
  return { generation: rows.get('generation')!, version: rows.get('version')! };
}

/** A copy of the file as it is, closed. */
function copy(): string {
  const to = join(store.dir, 'copy.db');
  store.writer.files.closeDay(day);
  copyFileSync(path(), to);
  return to;
}

describe('a day', () => {
  test('is listed with its path, and whether it could go', () => {
    expect(store.writer.upkeep.storeFiles().days).toEqual([{ day, path: path(), keptBecause: undefined }]);
    expect(
      store.writer.upkeep.storeFiles().rollups.map(({ level, fromDay, toDay }) => [level, fromDay <= day && day < toDay]),
    ).toEqual([
      ['1d', true],
      ['1h', true],
    ]);
  });

  test('goes only as the file that was planned with', () => {
    const { generation, version } = meta();
    const { upkeep } = store.writer;
    expect(upkeep.dropDay({ day: day + 1, generation, ifVersion: version })).toEqual({ done: false, kept: 'gone' });
    expect(upkeep.dropDay({ day, generation: generation + 1, ifVersion: version })).toEqual({ done: false, kept: 'changed' });
    append({ a: 5 }, 2);
    settle();
    expect(upkeep.dropDay({ day, generation, ifVersion: version })).toEqual({ done: false, kept: 'changed' });
    const now = meta();
    expect(upkeep.dropDay({ day, generation, ifVersion: now.version })).toMatchObject({ done: true });
    expect(upkeep.dropDay({ day, generation, ifVersion: now.version })).toEqual({ done: false, kept: 'gone' });
    expect(store.writer.files.days()).toEqual([]);
  });

  test('whose device is erased meanwhile is not replaced by a copy from before', () => {
    const { generation, version } = meta();
    const from = copy();
    store.writer.forget('d', [log.end(0)]);
    while (store.writer.eraser.busy) store.writer.eraser.step();
    expect(store.writer.upkeep.replaceDay({ day, generation, ifVersion: version, path: from })).toEqual({
      done: false,
      kept: 'changed',
    });
    expect(existsSync(from)).toBe(false);
    expect(store.chunks()).toEqual([]);
  });

  test('is replaced by a copy with marks of another generation from then on', async () => {
    const { generation, version } = meta();
    const before = path();
    const answer = store.writer.upkeep.replaceDay({ day, generation, ifVersion: version, path: copy() });
    expect(answer.done).toBe(true);
    expect(path()).not.toBe(before);
    expect(existsSync(before)).toBe(false);
    expect(meta().generation).toBeGreaterThan(generation);
    expect(store.chunks()).toHaveLength(2);
    append({ c: 1 }, 3);
    settle();
    await store.crash();
    expect(store.stored()['d']).toMatchObject({ a: [[day * DAY_MS + 3_600_000, 1]], c: [[day * DAY_MS + 3 * 3_600_000, 1]] });
  });

  test('stays as it is where the copy is none', () => {
    const { generation, version } = meta();
    const bad = join(store.dir, 'copy.db');
    const replace = (): unknown => store.writer.upkeep.replaceDay({ day, generation, ifVersion: version, path: bad });
    for (const bytes of ['', 'not a database, but long enough to be looked at'.repeat(100)]) {
      writeFileSync(bad, bytes);
      expect(replace()).toEqual({ done: false, kept: 'bad-copy' });
    }
    expect(replace()).toEqual({ done: false, kept: 'bad-copy' });
    const from = copy();
    const db = new DatabaseSync(from);
    db.exec("UPDATE meta SET value = value + 1 WHERE name = 'version'");
    db.close();
    expect(replace()).toEqual({ done: false, kept: 'bad-copy' });
    expect(store.chunks()).toHaveLength(2);
  });

  test('that is dropped while it is compacted is not made again', () => {
    // More series than one slice looks at.
    const records = Array.from({ length: 5000 }, (_, n) => [`d${n}`, { ts: day * DAY_MS, values: { a: n } }] as const);
    log.append(0, store.clock.now(), records);
    settle();
    store.clock.advance(120_000);
    store.writer.compactor.changed(day);
    store.clock.advance(120_000);
    expect(store.writer.compactor.step()).toBe(true);
    const { generation, version } = meta();
    expect(store.writer.upkeep.dropDay({ day, generation, ifVersion: version })).toMatchObject({ done: true });
    for (let step = 0; step < 5; step++) store.writer.compactor.step();
    expect(store.writer.files.days()).toEqual([]);
  });

  test('does not go while the log is replayed, which may have its points once more', async () => {
    append({ a: 3 }, 2);
    settle();
    // The log has lost what came last: what is left of it is read again, whatever the file has of it.
    log.cut(0, 1);
    await store.crash();
    const { upkeep } = store.writer;
    const { generation, version } = meta();
    expect(upkeep.storeFiles().days).toMatchObject([{ day, keptBecause: 'not-durable' }]);
    expect(upkeep.dropDay({ day, generation, ifVersion: version })).toEqual({ done: false, kept: 'not-durable' });
    // Also once a round of the low-water mark has found no mark of it beyond.
    store.saveLowWater();
    expect(upkeep.dropDay({ day, generation, ifVersion: version })).toEqual({ done: false, kept: 'not-durable' });
    settle();
    expect(upkeep.storeFiles().days).toMatchObject([{ day, keptBecause: undefined }]);
  });

  test('that comes back in the same life has another name than before, so that nobody mixes the two up', () => {
    const before = path();
    const { generation, version } = meta();
    store.writer.upkeep.dropDay({ day, generation, ifVersion: version });
    append({ a: 9 });
    settle();
    expect(path()).not.toBe(before);
    expect(meta().generation).toBeGreaterThan(generation);
    expect(readFileSync(path()).subarray(0, 6).toString()).toBe('SQLite');
  });
});

describe('rollups', () => {
  test('go only as the file that was planned with', () => {
    const { upkeep } = store.writer;
    const of = upkeep.storeFiles().rollups.find(({ level }) => level === '1h')!;
    const query = { level: of.level, fromDay: of.fromDay };
    const version = (): number => meta(of.path).version;
    const before = version();
    append({ a: 7 }, 5);
    settle();
    expect(upkeep.dropRollups({ ...query, ifVersion: before })).toEqual({ done: false, kept: 'changed' });
    expect(upkeep.dropRollups({ ...query, ifVersion: version() })).toMatchObject({ done: true });
    expect(upkeep.dropRollups({ ...query, ifVersion: 1 })).toEqual({ done: false, kept: 'gone' });
    expect(upkeep.deleteRollups({ ...query, rows: [] })).toBe(false);
    expect(upkeep.shrinkRollups(query)).toBe(false);
    expect(existsSync(of.path)).toBe(false);
    // What comes later is rolled up into a new one.
    append({ a: 8 }, 6);
    settle();
    expect(existsSync(of.path)).toBe(true);
  });

  test('that come back after they were dropped never have a version that they had', () => {
    const { upkeep } = store.writer;
    const seen = new Set<number>();
    for (let hour = 2; hour < 6; hour++) {
      const of = upkeep.storeFiles().rollups.find(({ level }) => level === '1h')!;
      const { version } = meta(of.path);
      expect(seen).not.toContain(version);
      seen.add(version);
      expect(upkeep.dropRollups({ level: '1h', fromDay: of.fromDay, ifVersion: version })).toMatchObject({ done: true });
      append({ a: hour }, hour);
      settle();
    }
  });
});
