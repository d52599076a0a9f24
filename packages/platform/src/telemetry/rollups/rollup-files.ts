import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LogLines } from '../../kernel/log-lines.ts';
import { inTransaction } from '../../kernel/sqlite-transaction.ts';
import { isBrokenFile, setAside } from '../broken-file.ts';
import type { FileNumbers } from '../day-files.ts';
import { syncFolder } from '../sync-folder.ts';
import {
  listRollupFiles,
  openRollupFileForWrite,
  rollupFileName,
  rollupFilePath,
  rollupFolder,
  type RollupFileEntry,
  type RollupLevel,
} from './rollup-file.ts';

const LEVELS: readonly RollupLevel[] = ['1h', '1d'];
const SET_VERSION = "UPDATE meta SET value = ? WHERE name = 'version'";
const GET_VERSION = "SELECT value FROM meta WHERE name = 'version'";

/** A file of rollups could not be read or written: `cause` says why. */
export class RollupFailure extends Error {
  readonly level: RollupLevel;
  /** One of the days that the file is for. */
  readonly day: number;

  constructor(level: RollupLevel, day: number, cause: unknown) {
    super(`${rollupFileName(level, day)} (${level}) could not be used`, { cause });
    this.level = level;
    this.day = day;
  }
}

/** A file of rollups that is open for writing. */
export class RollupFile {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #version: number;

  /** @param above versions that it gives are greater */
  constructor(db: DatabaseSync, above: number) {
    this.db = db;
    this.#version = Math.max(Number(this.statement(GET_VERSION).get()?.['value'] ?? 0), above);
  }

  /** Of the last commit. */
  get version(): number {
    return this.#version;
  }

  /** Prepared once for as long as the file is open. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.db.prepare(sql)));
    return statement;
  }

  /** A transaction that is durable when this returns. Throws what SQLite throws: nothing was changed. */
  commit(work: (file: RollupFile) => void): void {
    inTransaction(this.db, () => {
      work(this);
      this.#version++;
      this.statement(SET_VERSION).run(this.#version);
    });
  }
}

/** The files of rollups, for their one writer: the last used stay open. */
export class RollupFiles {
  readonly #dir: string;
  readonly #limit: number;
  readonly #logLines: LogLines;
  readonly #numbers: FileNumbers;
  /** By path, in the order of last use. */
  readonly #open = new Map<string, RollupFile>();
  readonly #existing = new Map<string, RollupFileEntry>();
  /** The last version of each that was closed: one that is made again under its name, after it was dropped, goes on from there. */
  readonly #lastVersions = new Map<string, number>();
  readonly #lastPaths: Partial<Record<RollupLevel, { readonly day: number; readonly path: string }>> = {};
  readonly #onVersion: () => void;
  #version = 1;
  /** A file that SQLite cannot read (a day that it is for), until it is set aside. */
  broken: { readonly level: RollupLevel; readonly day: number } | undefined;

  constructor(options: {
    readonly dir: string;
    readonly limit: number;
    readonly logLines: LogLines;
    readonly numbers: FileNumbers;
    /** Called whenever `version` has grown. */
    readonly onVersion?: () => void;
  }) {
    this.#dir = options.dir;
    this.#limit = options.limit;
    this.#logLines = options.logLines;
    this.#numbers = options.numbers;
    this.#onVersion = options.onVersion ?? (() => undefined);
  }

  /** Grows whenever a file appears or goes. */
  get version(): number {
    return this.#version;
  }

  /** Looks what is there. */
  open(): void {
    for (const level of LEVELS) mkdirSync(rollupFolder(this.#dir, level), { recursive: true });
    for (const level of LEVELS) syncFolder(rollupFolder(this.#dir, level));
    const folder = dirname(rollupFolder(this.#dir, '1h'));
    for (const path of [folder, dirname(folder)]) syncFolder(path);
    this.refresh();
  }

  close(): void {
    for (const path of this.#open.keys()) this.#close(path);
  }

  /** In no order. */
  get all(): readonly RollupFileEntry[] {
    return [...this.#existing.values()];
  }

  /** Looks again what is there: files were dropped or replaced, after `closeFile`. */
  refresh(): void {
    this.#existing.clear();
    for (const level of LEVELS) for (const entry of listRollupFiles(this.#dir, level)) this.#existing.set(entry.path, entry);
    this.#grow();
  }

  has(level: RollupLevel, day: number): boolean {
    return this.#existing.has(this.#pathOf(level, day));
  }

  /** Opens the file that has the rollups of a day, or makes it. */
  use(level: RollupLevel, day: number): RollupFile {
    const path = this.#pathOf(level, day);
    let file = this.#open.get(path);
    if (file === undefined) {
      if (this.#open.size >= this.#limit) this.#close(this.#open.keys().next().value!);
      const db = openRollupFileForWrite(this.#dir, level, day);
      try {
        file = new RollupFile(db, Math.max(this.#numbers.versionEpoch, this.#lastVersions.get(path) ?? 0));
        if (!this.#existing.has(path)) this.#appeared(level);
      } catch (error) {
        db.close();
        throw error;
      }
    } else this.#open.delete(path);
    this.#open.set(path, file);
    return file;
  }

  closeFile(level: RollupLevel, day: number): void {
    this.#close(rollupFilePath(this.#dir, level, day));
  }

  /** Reads from the file that has the rollups of a day. @throws RollupFailure: the next use opens it anew */
  read<T>(level: RollupLevel, day: number, query: (file: RollupFile) => T): T {
    try {
      return query(this.use(level, day));
    } catch (cause) {
      this.#failed(level, day);
      if (isBrokenFile(cause)) this.broken ??= { level, day };
      throw new RollupFailure(level, day, cause);
    }
  }

  /** Writes to it: durable when this returns. @throws RollupFailure: nothing was changed */
  commit(level: RollupLevel, day: number, work: (file: RollupFile) => void): void {
    this.read(level, day, (file) => file.commit(work));
  }

  /** Gives a broken file another name, so that it can be made again. Throws what rename throws. */
  setAside(level: RollupLevel, day: number): void {
    this.closeFile(level, day);
    this.broken = undefined;
    const aside = setAside(rollupFilePath(this.#dir, level, day));
    this.#logLines.error({ level, file: rollupFileName(level, day), aside }, 'A broken file of rollups was set aside');
    this.refresh();
  }

  /** Asked for each row of a pass over one day: the last ones are remembered. */
  #pathOf(level: RollupLevel, day: number): string {
    const last = this.#lastPaths[level];
    if (last?.day === day) return last.path;
    const path = rollupFilePath(this.#dir, level, day);
    this.#lastPaths[level] = { day, path };
    return path;
  }

  #failed(level: RollupLevel, day: number): void {
    try {
      this.closeFile(level, day);
    } catch (error) {
      this.#logLines.warn({ level, file: rollupFileName(level, day), err: error }, 'A file of rollups could not be closed');
    }
  }

  #appeared(level: RollupLevel): void {
    syncFolder(rollupFolder(this.#dir, level));
    this.refresh();
  }

  #close(path: string): void {
    const file = this.#open.get(path);
    this.#open.delete(path);
    if (file === undefined) return;
    this.#lastVersions.set(path, file.version);
    file.db.close();
  }

  #grow(): void {
    this.#version++;
    this.#onVersion();
  }
}
