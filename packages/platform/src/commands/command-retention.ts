import type { StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { chunksOf } from '../registry/statement-chunks.ts';
import type { Batch } from '../state/batch.ts';
import type { RegistryChange, RegistryFollower } from '../state/registry-changes.ts';
import type { StateDomain } from '../state/state-domain.ts';
import type { StateWriter } from '../state/state-writer.ts';

export interface RetentionLimits {
  /** Commands that have ended are kept for so long. */
  readonly keepMs: number;
  /** And so many of them, of all devices together; then the oldest go. */
  readonly keepFinished: number;
}

export const DEFAULT_RETENTION: RetentionLimits = { keepMs: 30 * 86_400_000, keepFinished: 1_000_000 };

/** One step: a transaction of some ms. */
const ROWS_OF_STEP = 500;
const EVERY_MS = 60_000;

/** Takes commands away, some at a time: those that ended long ago, those above the number that is kept, those of removed devices. */
export type RetentionWork =
  | { readonly kind: 'old' }
  | { readonly kind: 'purge'; readonly device: string; readonly beforeMs: number };

export class CommandRetention implements StateDomain<RetentionWork, number>, RegistryFollower, AsyncDisposable {
  readonly name = 'command-retention';
  readonly #database: StateDatabase;
  readonly #writer: StateWriter;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #limits: RetentionLimits;
  #finished = 0;
  #running: Promise<void> | undefined;
  #again = false;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: {
    readonly database: StateDatabase;
    readonly writer: StateWriter;
    readonly clock: Clock;
    readonly logLines: LogLines;
    readonly limits?: RetentionLimits | undefined;
  }) {
    this.#database = dependencies.database;
    this.#writer = dependencies.writer;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
    this.#limits = dependencies.limits ?? DEFAULT_RETENTION;
  }

  async start(): Promise<void> {
    const { count } = await this.#database
      .selectFrom('command')
      .select((builder) => builder.fn.countAll().as('count'))
      .where('finished_at_ms', 'is not', null)
      .executeTakeFirstOrThrow();
    this.#finished = Number(count);
    void this.sweep();
    this.#look();
  }

  /** One more has ended. */
  finished(): void {
    this.#finished++;
  }

  /** Takes away what is to go now. @returns once it is gone. */
  async sweep(): Promise<void> {
    if (this.#running !== undefined) this.#again = true;
    await (this.#running ??= this.#run());
  }

  /** Of a removed device all goes, in steps: it may be much. */
  async registryChanged(changes: readonly RegistryChange[], batch: Batch): Promise<void> {
    const { transaction } = batch;
    const removed = changes.filter(({ kind }) => kind === 'removed');
    if (removed.length === 0) return;
    const known = new Set<string>();
    for (const some of chunksOf(removed.map(({ device }) => device))) {
      const rows = await transaction.selectFrom('command').select('device').distinct().where('device', 'in', some).execute();
      for (const { device } of rows) known.add(device);
    }
    for (const { device, atMs } of removed) {
      if (!known.has(device)) continue;
      await transaction
        .insertInto('command_purge')
        .values({ device, before_ms: atMs })
        .onConflict((conflict) => conflict.column('device').doUpdateSet({ before_ms: atMs }))
        .execute();
    }
    if (known.size > 0) batch.afterCommit(() => void this.sweep());
  }

  async apply(works: readonly RetentionWork[], batch: Batch): Promise<readonly number[]> {
    const counts: number[] = [];
    for (const work of works) counts.push(work.kind === 'old' ? await this.#takeOld(batch) : await this.#purge(work, batch));
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #look(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(EVERY_MS, () => void this.sweep().then(() => this.#look()));
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.#repeat({ kind: 'old' });
        for (const { device, before_ms } of await this.#database.selectFrom('command_purge').selectAll().execute())
          await this.#repeat({ kind: 'purge', device, beforeMs: Number(before_ms) });
      } while (this.#again && !this.#closed);
    } catch (error) {
      if (!this.#closed) this.#logLines.error({ err: error }, 'old commands could not be taken away; it is tried again');
    } finally {
      this.#running = undefined;
    }
  }

  async #repeat(work: RetentionWork): Promise<void> {
    for (let count = ROWS_OF_STEP; count >= ROWS_OF_STEP && !this.#closed;) count = await this.#writer.run(this, work);
  }

  async #takeOld(batch: Batch): Promise<number> {
    const { transaction, nowMs } = batch;
    const excess = this.#finished - this.#limits.keepFinished;
    const oldest = transaction
      .selectFrom('command')
      .select('id')
      .where('finished_at_ms', 'is not', null)
      .orderBy('finished_at_ms')
      .limit(excess > 0 ? Math.min(excess, ROWS_OF_STEP) : ROWS_OF_STEP);
    const going = excess > 0 ? oldest : oldest.where('finished_at_ms', '<', nowMs - this.#limits.keepMs);
    const { numDeletedRows } = await transaction.deleteFrom('command').where('id', 'in', going).executeTakeFirstOrThrow();
    const count = Number(numDeletedRows);
    batch.afterCommit(() => (this.#finished -= count));
    // What is above the number may be followed by what is too old.
    return excess > 0 && count > 0 ? ROWS_OF_STEP : count;
  }

  async #purge({ device, beforeMs }: RetentionWork & { readonly kind: 'purge' }, batch: Batch): Promise<number> {
    const { transaction } = batch;
    const rows = await transaction
      .selectFrom('command')
      .select(['id', 'finished_at_ms'])
      .where('device', '=', device)
      .where('created_at_ms', '<=', beforeMs)
      .limit(ROWS_OF_STEP)
      .execute();
    for (const some of chunksOf(rows.map(({ id }) => id)))
      await transaction.deleteFrom('command').where('id', 'in', some).execute();
    if (rows.length < ROWS_OF_STEP) {
      // A later removal of the device stays to be done.
      await transaction.deleteFrom('command_purge').where('device', '=', device).where('before_ms', '=', beforeMs).execute();
    }
    const finished = rows.filter(({ finished_at_ms }) => finished_at_ms !== null).length;
    batch.afterCommit(() => (this.#finished -= finished));
    return rows.length;
  }
}
