import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LogLines } from '../kernel/log-lines.ts';
import { checkpoint, cutLog } from '../kernel/sqlite-transaction.ts';
import { isBrokenFile, setAside } from './broken-file.ts';
import { dayFileName, dayFilePath, daysFolder, listDayFiles, openDayFileForWrite } from './day-file-schema.ts';
import { syncFolder } from './sync-folder.ts';
import { removeDatabase, removeOrphans } from './unlinked-file.ts';

const SET_VERSION = "UPDATE meta SET value = ? WHERE name = 'version'";

/** Numbers that are given once for ever (Catalog). */
export interface FileNumbers {
  nextGeneration(): number;
  readonly versionEpoch: number;
}

/** A day file that is open for writing. */
export class DayFile {
  readonly day: number;
  readonly db: DatabaseSync;
  /** Of the marks that are made now. */
  readonly generation: number;
  readonly #statements = new Map<string, StatementSync>();
  readonly #rowStatements = new Map<string, StatementSync>();
  #version: number;

  constructor(day: number, db: DatabaseSync, versionEpoch: number) {
    this.day = day;
    this.db = db;
    const meta = new Map(
      db
        .prepare('SELECT name, value FROM meta')
        .all()
        .map((row) => [row['name'], Number(row['value'])]),
    );
    this.generation = meta.get('generation') ?? 0;
    this.#version = Math.max(meta.get('version') ?? 0, versionEpoch);
  }

  /** As `statement`; it gives rows as arrays of their columns. */
  rowStatement(sql: string): StatementSync {
    let statement = this.#rowStatements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      statement.setReturnArrays(true);
      this.#rowStatements.set(sql, statement);
    }
    return statement;
  }

  /** Part of every transaction that adds or removes points or changes marks. @returns the version (`meta`) that it makes */
  nextVersion(): number {
    this.#version++;
    this.statement(SET_VERSION).run(this.#version);
    return this.#version;
  }

  /** Prepared once for as long as the file is open. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.db.prepare(sql)));
    return statement;
  }
}

/** The day files of the one writer: the last used stay open. */
export class DayFiles {
  readonly #dir: string;
  readonly #limit: number;
  readonly #logLines: LogLines;
  readonly #numbers: FileNumbers;
  /** In the order of last use. */
  readonly #open = new Map<number, DayFile>();
  /** The path of each file that there is. */
  readonly #existing = new Map<number, string>();
  /** Days whose file was dropped since the start: the name of it is not used again (`dayFilePath`). */
  readonly #dropped = new Set<number>();
  /** Days with commits that a power loss could still take back. */
  readonly #dirty = new Set<number>();
  readonly #onVersion: () => void;
  #version = 1;

  constructor(options: {
    readonly dir: string;
    readonly limit: number;
    readonly logLines: LogLines;
    /** Asked once the files are used. */
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

  /** Looks what is there, and removes what a kill has left of files that were dropped or replaced. */
  open(): void {
    for (const [day, [path, ...outdated]] of listDayFiles(this.#dir)) {
      for (const before of outdated) removeDatabase(before);
      this.#existing.set(day, path);
    }
    removeOrphans(daysFolder(this.#dir));
  }

  close(): void {
    for (const day of this.#open.keys()) this.closeDay(day);
  }

  /** Ascending. */
  days(): number[] {
    return [...this.#existing.keys()].sort((a, b) => a - b);
  }

  get count(): number {
    return this.#existing.size;
  }

  has(day: number): boolean {
    return this.#existing.has(day);
  }

  /** Undefined where there is none. */
  pathOf(day: number): string | undefined {
    return this.#existing.get(day);
  }

  /** Opens the file, or makes it. */
  use(day: number): DayFile {
    let file = this.#open.get(day);
    if (file === undefined) {
      if (this.#open.size >= this.#limit) this.closeDay(this.#open.keys().next().value!);
      const path = this.#existing.get(day) ?? this.#newPath(day);
      const db = openDayFileForWrite(this.#dir, day, () => this.#numbers.nextGeneration(), path);
      try {
        file = new DayFile(day, db, this.#numbers.versionEpoch);
      } catch (error) {
        db.close();
        throw error;
      }
      if (!this.#existing.has(day)) {
        this.#existing.set(day, path);
        this.#dirty.add(day);
        this.#grow();
      }
    } else this.#open.delete(day);
    this.#open.set(day, file);
    return file;
  }

  closeDay(day: number): void {
    const file = this.#open.get(day);
    if (file === undefined) return;
    this.#open.delete(day);
    file.db.close();
  }

  /** Something was committed to it. */
  setDirty(day: number): void {
    this.#dirty.add(day);
  }

  dirtyDays(): number[] {
    return [...this.#dirty];
  }

  /** @returns false when a reader was in the way: the file may be taken back by a power loss still. */
  makeDurable(day: number): boolean {
    if (!this.#dirty.has(day)) return true;
    if (!checkpoint(this.use(day).db)) return false;
    this.#dirty.delete(day);
    return true;
  }

  /** To be called when nothing more is to be written to a day: its write-ahead log would stay as long as it ever was. */
  cutLog(day: number): void {
    if (this.makeDurable(day)) cutLog(this.use(day).db);
  }

  /** Removes the file. Who has it open reads on. Needs no space. */
  drop(day: number): void {
    const path = this.#existing.get(day);
    if (path === undefined) return;
    this.closeDay(day);
    removeDatabase(path);
    this.#existing.delete(day);
    this.#dropped.add(day);
    this.#dirty.delete(day);
    this.#grow();
    try {
      syncFolder(daysFolder(this.#dir));
    } catch (error) {
      this.#logLines.warn({ day: dayFileName(day), err: error }, 'A dropped day file may be back after a power loss');
    }
  }

  /**
   * Puts a database that is closed and synced, without a write-ahead log, in the place of the file. A kill leaves one of the two, or
   * both: the one with the greater number counts, and the other is removed at the next start.
   */
  replace(day: number, copy: string): void {
    const before = this.#existing.get(day);
    const path = join(daysFolder(this.#dir), dayFileName(day, this.#numbers.nextGeneration()));
    this.closeDay(day);
    renameSync(copy, path);
    this.#existing.set(day, path);
    this.#dirty.delete(day);
    this.#grow();
    // Until the name is durable the file before must stay.
    syncFolder(daysFolder(this.#dir));
    if (before !== undefined) removeDatabase(before);
  }

  /**
   * To be called with what a use of the file threw: the next one opens it anew. A file that SQLite cannot read is set
   * aside, under another name, so that the day can be written again.
   */
  failed(day: number, error: unknown): void {
    const file = this.#open.get(day);
    this.#open.delete(day);
    try {
      file?.db.close();
    } catch (closeError) {
      this.#logLines.warn({ day: dayFileName(day), err: closeError }, 'A day file could not be closed');
    }
    if (!isBrokenFile(error)) return;
    try {
      const aside = setAside(this.#existing.get(day) ?? dayFilePath(this.#dir, day));
      this.#logLines.error(
        { day: dayFileName(day), aside, err: error },
        'A day file is broken and was set aside: its points are not read any more',
      );
    } catch (renameError) {
      this.#logLines.error({ day: dayFileName(day), err: renameError }, 'A broken day file could not be set aside');
    }
    this.#existing.delete(day);
    this.#dirty.delete(day);
    this.#grow();
  }

  #newPath(day: number): string {
    return join(daysFolder(this.#dir), dayFileName(day, this.#dropped.has(day) ? this.#numbers.nextGeneration() : 0));
  }

  #grow(): void {
    this.#version++;
    this.#onVersion();
  }
}
