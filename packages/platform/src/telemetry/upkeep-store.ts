import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LogLines } from '../kernel/log-lines.ts';
import { checkpoint } from '../kernel/sqlite-transaction.ts';
import type { Catalog } from './catalog.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import type { DayFiles } from './day-files.ts';
import type { Memtable } from './memtable.ts';
import type { RollupBuilder } from './rollups/rollup-builder.ts';
import type { RollupFiles } from './rollups/rollup-files.ts';
import type { UnrolledDays } from './rollups/unrolled-days.ts';
import { syncFolder } from './sync-folder.ts';
import { removeDatabase, sizeOfDatabase } from './unlinked-file.ts';
import {
  ROLLUPS_AT_ONCE,
  type DayVersion,
  type DropAnswer,
  type KeptBecause,
  type RollupKey,
  type RollupsOf,
  type StoreFiles,
  type UpkeepStoreCalls,
} from './upkeep-calls.ts';

const DELETE = 'DELETE FROM rollup WHERE period = ? AND series = ? AND generation = ?';
const SHRINK_PAGES = 256;

export interface UpkeepStoreParts {
  readonly files: DayFiles;
  readonly rollupFiles: RollupFiles;
  readonly rollups: RollupBuilder;
  readonly unrolled: UnrolledDays;
  readonly chunks: ChunkWriter;
  readonly catalog: Catalog;
  readonly memtable: Memtable;
  /** The log is being replayed: what it has from before the start is not all stored yet. */
  readonly replaying: () => boolean;
  readonly logLines: LogLines;
}

/**
 * Lets files of the store go, for the upkeep thread.
 *
 * A day file may go when nothing but the file itself would be lost by it: its points are in the rollups, none of them is
 * still to come from memory, and no restart reads records of it from the log again (they would count twice, in the
 * rollups of before and in those of the file that they would make). So the day is not in the catalog's `unrolled`, has no
 * buffer, and no mark beyond the low-water mark. What comes later of the day makes a file of its own, with a generation
 * of its own.
 */
export class UpkeepStore {
  readonly #parts: UpkeepStoreParts;

  constructor(parts: UpkeepStoreParts) {
    this.#parts = parts;
  }

  get calls(): Omit<UpkeepStoreCalls, 'forget' | 'flush'> {
    return {
      storeFiles: () => this.storeFiles(),
      dropDay: (query) => this.dropDay(query),
      replaceDay: (query) => this.replaceDay(query),
      dropRollups: (query) => this.dropRollups(query),
      deleteRollups: (query) => this.deleteRollups(query),
      shrinkRollups: (query) => this.shrinkRollups(query),
    };
  }

  storeFiles(): StoreFiles {
    const { files, rollupFiles } = this.#parts;
    const hot = this.#hotDays();
    return {
      days: files.days().map((day) => ({ day, path: files.pathOf(day)!, keptBecause: this.#keptBecause(day, hot) })),
      rollups: [...rollupFiles.all]
        .sort((a, b) => (a.level === b.level ? a.firstDay - b.firstDay : a.level < b.level ? -1 : 1))
        .map(({ level, firstDay: fromDay, endDay: toDay, path }) => ({ level, fromDay, toDay, path })),
    };
  }

  dropDay(query: DayVersion): DropAnswer {
    const { files, rollups } = this.#parts;
    const { day } = query;
    const kept = this.#dayKept(query);
    if (kept !== undefined) return { done: false, kept };
    const freedBytes = sizeOfDatabase(files.pathOf(day)!);
    rollups.abandon(day);
    files.drop(day);
    return { done: true, freedBytes };
  }

  replaceDay({ path, ...query }: DayVersion & { readonly path: string }): DropAnswer {
    const { files, rollups, catalog, logLines } = this.#parts;
    const { day } = query;
    try {
      const kept = this.#dayKept(query);
      if (kept !== undefined) return { done: false, kept };
      try {
        adoptCopy(path, query, () => catalog.nextGeneration());
      } catch (error) {
        logLines.warn({ day, err: error }, 'A copy of what is kept of a day cannot be used: the day stays as it is');
        return { done: false, kept: 'bad-copy' };
      }
      const before = sizeOfDatabase(files.pathOf(day)!);
      const after = sizeOfDatabase(path);
      rollups.abandon(day);
      files.replace(day, path);
      return { done: true, freedBytes: before - after };
    } finally {
      removeDatabase(path);
    }
  }

  dropRollups({ ifVersion, ...query }: RollupsOf & { readonly ifVersion: number }): DropAnswer {
    const { rollupFiles, logLines } = this.#parts;
    const { level, fromDay } = query;
    const path = this.#rollupPath(query);
    if (path === undefined) return { done: false, kept: 'gone' };
    if (metaOf(path).get('version') !== ifVersion) return { done: false, kept: 'changed' };
    const freedBytes = sizeOfDatabase(path);
    rollupFiles.closeFile(level, fromDay);
    removeDatabase(path);
    rollupFiles.refresh();
    try {
      syncFolder(dirname(path));
    } catch (error) {
      logLines.warn(
        { path, err: error },
        'The folder of a file that was removed could not be synced: a power loss may bring it back',
      );
    }
    return { done: true, freedBytes };
  }

  deleteRollups({ rows, ...query }: RollupsOf & { readonly rows: readonly RollupKey[] }): boolean {
    if (this.#rollupPath(query) === undefined) return false;
    this.#parts.rollupFiles.commit(query.level, query.fromDay, (file) => {
      for (const { period, series, generation } of rows.slice(0, ROLLUPS_AT_ONCE))
        file.statement(DELETE).run(period, series, generation);
    });
    return true;
  }

  shrinkRollups(query: RollupsOf): boolean {
    if (this.#rollupPath(query) === undefined) return false;
    return this.#parts.rollupFiles.read(query.level, query.fromDay, ({ db }) => {
      const free = Number(db.prepare('PRAGMA freelist_count').get()?.['freelist_count'] ?? 0);
      if (free === 0) return false;
      db.exec(`PRAGMA incremental_vacuum(${SHRINK_PAGES})`);
      if (free > SHRINK_PAGES) return true;
      // Until then the file is as long as it was, and its log is longer. Where a reader is in the way a later one does it.
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return false;
    });
  }

  #dayKept({ day, generation, ifVersion }: DayVersion): KeptBecause | undefined {
    const { files } = this.#parts;
    const kept = this.#keptBecause(day, this.#hotDays());
    if (kept !== undefined) return kept;
    const meta = metaOf(files.pathOf(day)!);
    return meta.get('generation') === generation && meta.get('version') === ifVersion ? undefined : 'changed';
  }

  #keptBecause(day: number, hot: ReadonlySet<number>): KeptBecause | undefined {
    const { files, unrolled, chunks, replaying } = this.#parts;
    if (!files.has(day)) return 'gone';
    if (hot.has(day)) return 'hot-points';
    if (replaying() || chunks.isTouched(day)) return 'not-durable';
    return unrolled.has(day) ? 'stale-hours' : undefined;
  }

  #hotDays(): ReadonlySet<number> {
    const { memtable } = this.#parts;
    const days = new Set<number>();
    for (const buffer of memtable.all()) days.add(memtable.dayOf(buffer));
    return days;
  }

  #rollupPath({ level, fromDay }: RollupsOf): string | undefined {
    return this.#parts.rollupFiles.all.find((entry) => entry.level === level && entry.firstDay === fromDay)?.path;
  }
}

/** Makes a copy what may take the place of the file: its marks from now on have a generation of their own. Throws what is wrong with it. */
function adoptCopy(path: string, { generation, ifVersion }: DayVersion, nextGeneration: () => number): void {
  if (statSync(path).size === 0) throw new Error('the copy is empty');
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA synchronous = FULL');
    const meta = readMeta(db);
    if (meta.get('generation') !== generation || meta.get('version') !== ifVersion)
      throw new Error('the copy is of another file');
    db.prepare("UPDATE meta SET value = ? WHERE name = 'generation'").run(nextGeneration());
    // Only the file itself takes the place.
    if (!checkpoint(db)) throw new Error('the copy is in use');
  } finally {
    db.close();
  }
}

function metaOf(path: string): ReadonlyMap<string, number> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('PRAGMA busy_timeout = 100');
    return readMeta(db);
  } finally {
    db.close();
  }
}

function readMeta(db: DatabaseSync): ReadonlyMap<string, number> {
  return new Map(
    db
      .prepare('SELECT name, value FROM meta')
      .all()
      .map((row) => [String(row['name']), Number(row['value'])]),
  );
}
