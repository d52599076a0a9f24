import type { StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';

/** A wall clock may be set; no timer of Node waits for longer than 24 days. */
const LONGEST_MS = 60_000;
/** Of many that are due one after the other, some are done at once. */
const SHORTEST_MS = 20;
const AFTER_FAILURE_MS = 1_000;
const AT_ONCE = 500;

/**
 * Ends commands in time: one timer, set to the earliest deadline that there is; each of its runs takes what is due by an index, and
 * looks up the next. The deadlines stand in the database, so that a restart loses none.
 */
export class CommandDeadlines implements AsyncDisposable {
  readonly #database: StateDatabase;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #expire: (limit: number) => Promise<number>;
  #cancel: (() => void) | undefined;
  #atMs = Infinity;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(dependencies: {
    readonly database: StateDatabase;
    readonly clock: Clock;
    readonly logLines: LogLines;
    /** Ends so many of those that are due at most. @returns how many there were. */
    readonly expire: (limit: number) => Promise<number>;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
    this.#expire = dependencies.expire;
  }

  async start(): Promise<void> {
    await this.#lookUp();
  }

  /** Something has to be looked at by then. */
  due(atMs: number): void {
    if (this.#closed || atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#arm(Math.max(SHORTEST_MS, atMs - this.#clock.now()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #arm(delayMs: number): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(Math.min(delayMs, LONGEST_MS), () => {
      this.#atMs = Infinity;
      if (this.#running !== undefined) this.#again = true;
      else this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        while (!this.#closed && (await this.#expire(AT_ONCE)) >= AT_ONCE);
      } while (this.#again && !this.#closed);
      await this.#lookUp();
    } catch (error) {
      this.#logLines.warn({ err: error }, 'commands could not be ended in time; it is tried again');
      this.due(this.#clock.now() + AFTER_FAILURE_MS);
    } finally {
      this.#running = undefined;
    }
  }

  async #lookUp(): Promise<void> {
    if (this.#closed) return;
    const next = await this.#database
      .selectFrom('command')
      .select('deadline_ms')
      .where('deadline_ms', 'is not', null)
      .orderBy('deadline_ms')
      .limit(1)
      .executeTakeFirst();
    if (next?.deadline_ms !== undefined && next.deadline_ms !== null) this.due(Number(next.deadline_ms));
  }
}
