import type { AuditChange } from '../audit/audit-trail.ts';
import type { StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Batch } from './batch.ts';
import type { OutgoingMessage } from './outgoing.ts';
import type { StateDomain } from './state-domain.ts';
import type { StateEvent } from './state-events.ts';

/** Where what a batch made goes, once it is durable. */
export interface StateOutlet {
  publish(messages: readonly OutgoingMessage[]): void;
  isWatched(device: string): boolean;
  tell(events: readonly StateEvent[]): void;
}

export interface StateWriterOptions {
  readonly database: StateDatabase;
  readonly outlet: StateOutlet;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly maxWaiting?: number;
}

/** What comes at once goes out in parts: a gateway sends the answers of one while the next is being written. */
const MAX_BATCH = 200;
const MAX_WAITING = 20_000;

/** A work that waits for its batch. */
interface Waiting {
  readonly domain: StateDomain<unknown, unknown>;
  readonly work: unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The one writer of the state. Works that come while a batch is being written share the next one (group commit): a transaction, and a
 * wait for the disk, for each batch, not for each work.
 *
 * Invariant: what is published or answered of a work is durable.
 */
export class StateWriter implements AsyncDisposable {
  /** Batches that were written, and works that were done in them or not at all. */
  readonly counters = { batches: 0, works: 0, failed: 0 };
  readonly #database: StateDatabase;
  readonly #outlet: StateOutlet;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #maxWaiting: number;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: StateWriterOptions) {
    this.#database = options.database;
    this.#outlet = options.outlet;
    this.#clock = options.clock;
    this.#logLines = options.logLines;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** Works that no batch has taken yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Does a work in the next batch.
   *
   * @returns its result, once it is durable.
   * @throws SelsynError `state.busy` when too many wait, `data.unwritable` when the disk is full; nothing was done then.
   */
  async run<W, R>(domain: StateDomain<W, R>, work: W): Promise<R> {
    if (this.#closed) throw new SelsynError('state.busy', 'the server is stopping', { retryable: true });
    if (this.#waiting.length >= this.#maxWaiting)
      throw new SelsynError('state.busy', 'too many changes wait to be written: try again later', { retryable: true });
    return await new Promise<R>((resolve, reject) => {
      this.#waiting.push({
        domain,
        work,
        resolve: resolve as (result: unknown) => void,
        reject,
      });
      this.#running ??= this.#run();
    });
  }

  /** Writes what waits, and takes no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // What came in this turn of the event loop belongs together.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    while (this.#waiting.length > 0) {
      const works = this.#waiting.length <= MAX_BATCH ? this.#waiting : this.#waiting.slice(0, MAX_BATCH);
      this.#waiting = this.#waiting.length <= MAX_BATCH ? [] : this.#waiting.slice(MAX_BATCH);
      await this.#write(works);
      // New works are let in between batches.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    this.#running = undefined;
  }

  async #write(works: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#transact(works);
      for (const [index, { resolve }] of works.entries()) resolve(results[index]);
    } catch (error) {
      const [only] = works;
      if (works.length > 1 && !isSelsynError(error, 'data.unwritable')) {
        // In halves: many that are sound share a transaction still, and a wait for the disk.
        const half = works.length >> 1;
        await this.#write(works.slice(0, half));
        await this.#write(works.slice(half));
        return;
      }
      this.counters.failed += works.length;
      if (!isSelsynError(error)) this.#logLines.error({ err: error, domain: only?.domain.name }, 'a change of the state failed');
      for (const { reject } of works) reject(error);
    }
  }

  /** @returns a result for each work, in the order of the works, once all are durable. */
  async #transact(works: readonly Waiting[]): Promise<readonly unknown[]> {
    const results = Array.from<unknown>({ length: works.length });
    const made = new OpenBatch(this.#outlet);
    try {
      await this.#database.transaction().execute(async (transaction) => {
        const batch = made.begin(transaction, this.#clock.now());
        for (const [domain, places] of byDomain(works)) {
          const done = await domain.apply(
            places.map((place) => works[place]?.work),
            batch,
          );
          for (const [index, place] of places.entries()) results[place] = done[index];
        }
        await made.writeAudit();
      });
    } catch (error) {
      made.failed();
      throw error;
    }
    this.counters.batches++;
    this.counters.works += works.length;
    made.committed();
    return results;
  }
}

/** The places of the works of each domain, in the order in which the domains come first. */
function byDomain(works: readonly Waiting[]): ReadonlyMap<StateDomain<unknown, unknown>, number[]> {
  const places = new Map<StateDomain<unknown, unknown>, number[]>();
  for (const [index, { domain }] of works.entries()) {
    const known = places.get(domain);
    if (known === undefined) places.set(domain, [index]);
    else known.push(index);
  }
  return places;
}

class OpenBatch {
  readonly #outlet: StateOutlet;
  readonly #messages: OutgoingMessage[] = [];
  readonly #changes: AuditChange[] = [];
  readonly #events: StateEvent[] = [];
  readonly #afterCommit: (() => void)[] = [];
  readonly #onRollback: (() => void)[] = [];
  #batch: Batch | undefined;

  constructor(outlet: StateOutlet) {
    this.#outlet = outlet;
  }

  begin(transaction: StateDatabase, nowMs: number): Batch {
    this.#batch = {
      transaction,
      nowMs,
      publish: (message) => this.#messages.push(message),
      audit: (change) => this.#changes.push(change),
      isWatched: (device) => this.#outlet.isWatched(device),
      tell: (event) => this.#events.push(event),
      afterCommit: (then) => this.#afterCommit.push(then),
      onRollback: (then) => this.#onRollback.push(then),
    };
    return this.#batch;
  }

  async writeAudit(): Promise<void> {
    if (this.#batch === undefined || this.#changes.length === 0) return;
    const { transaction, nowMs } = this.#batch;
    for (let start = 0; start < this.#changes.length; start += AUDIT_ROWS) {
      const some = this.#changes.slice(start, start + AUDIT_ROWS);
      await transaction
        .insertInto('state_audit')
        .values(some.map((change) => ({ at_ms: nowMs, change: JSON.stringify(change) })))
        .execute();
    }
  }

  committed(): void {
    if (this.#messages.length > 0) this.#outlet.publish(this.#messages);
    if (this.#events.length > 0) this.#outlet.tell(this.#events);
    for (const then of this.#afterCommit) then();
  }

  failed(): void {
    for (const undo of this.#onRollback) undo();
  }
}

const AUDIT_ROWS = 200;
