import type { StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isSelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { ShadowFleetDomain } from './shadow-fleet-domain.ts';
import { STEP_CHANGES } from './update-stepping.ts';

/** Short steps: what devices send waits no longer than one of them. */
const TICK_MS = 50;
const MIN_PAUSE_MS = 10;
const IDLE_MS = 60_000;
const RETRY_MS = 1_000;
/** Of each kind at once; the others wait for one of them to end. Defaults do not wait for what somebody wants to have done slowly. */
const MAX_AT_ONCE = 4;
const KINDS = ['defaults', 'desired'] as const;
/** Where so many changes wait, devices come first. */
const BUSY_WORKS = 2_000;
/** What was not done in time is not caught up with beyond this. */
const MAX_BURST_MS = 500;
const TRIES = 3;

interface Running {
  readonly ratePerSec: number;
  /** Devices that may be dealt with now. */
  allowed: number;
  atMs: number;
  failures: number;
}

/**
 * Goes on with the updates that are running, the oldest first, each at its rate. What it knows is in the database: where the process ends,
 * the next one goes on after the last device that was dealt with.
 */
export class ShadowUpdateRunner implements AsyncDisposable {
  readonly #database: StateDatabase;
  readonly #writer: StateWriter;
  readonly #domain: ShadowFleetDomain;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #running = new Map<string, Running>();
  #cancel: (() => void) | undefined;
  #turn: Promise<void> | undefined;
  /** There is something new since the turn under way looked. */
  #isAsked = false;
  #closed = false;

  constructor(dependencies: {
    readonly database: StateDatabase;
    readonly writer: StateWriter;
    readonly domain: ShadowFleetDomain;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#database = dependencies.database;
    this.#writer = dependencies.writer;
    this.#domain = dependencies.domain;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  start(): void {
    this.#domain.onStart = () => {
      this.#isAsked = true;
      // A turn that is under way sees to it when it is over.
      if (this.#turn === undefined) this.#schedule(0);
    };
    this.#schedule(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#turn;
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(delayMs, () => {
      const startedMs = this.#clock.monotonicMs();
      this.#turn = this.#run().then((nextMs) => {
        this.#turn = undefined;
        // Also where a turn takes long, what devices send is let in between.
        const tookMs = this.#clock.monotonicMs() - startedMs;
        this.#schedule(this.#isAsked ? 0 : Math.max(MIN_PAUSE_MS, nextMs - tookMs));
      });
    });
  }

  /** @returns after how many ms there is something to do again. */
  async #run(): Promise<number> {
    this.#isAsked = false;
    try {
      const ids = await this.#look();
      if (ids.length === 0) return (await this.#sweep()) ? IDLE_MS : TICK_MS;
      if (this.#writer.waiting < BUSY_WORKS) for (const id of ids) await this.#step(id);
      return TICK_MS;
    } catch (error) {
      if (!this.#closed)
        this.#logLines.error({ err: error }, 'updates of shadows could not be gone on with; they are tried again');
      return RETRY_MS;
    }
  }

  /** Those that are to be gone on with. */
  async #look(): Promise<readonly string[]> {
    const rows = [];
    for (const kind of KINDS) {
      const oldest = this.#database
        .selectFrom('shadow_update')
        .select(['id', 'rate_per_sec'])
        .where('state', '=', 'running')
        .where('kind', '=', kind)
        .orderBy('id')
        .limit(MAX_AT_ONCE);
      rows.push(...(await oldest.execute()));
    }
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of this.#running.keys()) if (!ids.has(id)) this.#running.delete(id);
    for (const { id, rate_per_sec: rate } of rows) {
      if (this.#running.has(id)) continue;
      const ratePerSec = Number(rate);
      this.#running.set(id, { ratePerSec, allowed: 1, atMs: this.#clock.monotonicMs(), failures: 0 });
    }
    return [...ids];
  }

  async #step(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const passedMs = Math.min(MAX_BURST_MS, nowMs - running.atMs);
    running.allowed = Math.min(STEP_CHANGES, running.allowed + (passedMs * running.ratePerSec) / 1000);
    running.atMs = nowMs;
    if (running.allowed < 1) return;
    const giveUp = running.failures > TRIES;
    // After a failure one at a time, so that it is known which device it is.
    const limit = running.failures > 0 ? 1 : Math.floor(running.allowed);
    try {
      const result = await this.#writer.run(this.#domain, { kind: 'step', id, limit, giveUp });
      if (result.kind === 'stepped') running.allowed -= result.dealtWith;
      running.failures = 0;
    } catch (error) {
      if (isSelsynError(error) && error.retryable) return;
      running.failures += 1;
      this.#logLines.error({ err: error, update: id }, 'a step of an update of shadows failed');
    }
  }

  /** @returns whether there is nothing left to sweep. */
  async #sweep(): Promise<boolean> {
    const result = await this.#writer.run(this.#domain, { kind: 'sweep' });
    return result.kind !== 'swept' || result.isOver;
  }
}
