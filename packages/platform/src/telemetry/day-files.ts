import { readdirSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { LogLines } from '../kernel/log-lines.ts';
import { isBrokenFile, setAside } from './broken-file.ts';
import { dayFileName, dayFilePath, dayOfFileName, daysFolder, openDayFileForWrite } from './day-file-schema.ts';
import { checkpoint } from './sqlite-transaction.ts';

/** A day file that is open for writing. */
export class DayFile {
  readonly day: number;
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(day: number, db: DatabaseSync) {
    this.day = day;
    this.db = db;
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
  /** In the order of last use. */
  readonly #open = new Map<number, DayFile>();
  readonly #existing = new Set<number>();
  /** Days with commits that a power loss could still take back. */
  readonly #dirty = new Set<number>();
  /** Grows whenever a day file appears or goes. */
  version = 1;

  constructor(options: { readonly dir: string; readonly limit: number; readonly logLines: LogLines }) {
    this.#dir = options.dir;
    this.#limit = options.limit;
    this.#logLines = options.logLines;
  }

  /** Looks what is there. */
  open(): void {
    for (const name of readdirSync(daysFolder(this.#dir))) {
      const day = dayOfFileName(name);
      if (day !== undefined) this.#existing.add(day);
    }
  }

  close(): void {
    for (const day of this.#open.keys()) this.closeDay(day);
  }

  /** Ascending. */
  days(): number[] {
    return [...this.#existing].sort((a, b) => a - b);
  }

  get count(): number {
    return this.#existing.size;
  }

  has(day: number): boolean {
    return this.#existing.has(day);
  }

  /** Opens the file, or makes it. */
  use(day: number): DayFile {
    let file = this.#open.get(day);
    if (file === undefined) {
      if (this.#open.size >= this.#limit) this.closeDay(this.#open.keys().next().value!);
      file = new DayFile(day, openDayFileForWrite(this.#dir, day));
      if (!this.#existing.has(day)) {
        this.#existing.add(day);
        this.#dirty.add(day);
        this.version++;
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
      const aside = setAside(dayFilePath(this.#dir, day));
      this.#logLines.error(
        { day: dayFileName(day), aside, err: error },
        'A day file is broken and was set aside: its points are not read any more',
      );
    } catch (renameError) {
      this.#logLines.error({ day: dayFileName(day), err: renameError }, 'A broken day file could not be set aside');
    }
    this.#existing.delete(day);
    this.#dirty.delete(day);
    this.version++;
  }
}
