import type { StateDatabase } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { StateWriter } from '../../state/state-writer.ts';
import type { JobOrchestration } from './job-orchestration.ts';

/** It is looked at least so often what is due, whatever was planned: clocks are set. */
const LOOK_MS = 1_000;
/** How often it is looked whether fleets were changed. */
const FLEETS_MS = 2_000;
/** The wall clock was set back where it has lost so much against the time that has passed. */
const SET_BACK_MS = 1_000;
/** A job whose step failed is left alone for so long. */
const PAUSE_MS = 5_000;
const JOBS_AT_ONCE = 20;

/**
 * Does the steps of jobs when they are due: one at a time, each in a batch of its own, in turns where several jobs are due. What is due
 * stands in the database, so that it goes on by itself after a restart.
 */
export class JobRunner implements AsyncDisposable {
  readonly #database: StateDatabase;
  readonly #writer: StateWriter;
  readonly #orchestration: JobOrchestration;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #paused = new Map<number, number>();
  #running: Promise<void> | undefined;
  #again = false;
  /** By how much the wall clock was ahead of the time that has passed. At the start nobody knows what it was when steps were planned. */
  #aheadMs = Number.POSITIVE_INFINITY;
  #fleetsAtMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: {
    /** To be read. */
    readonly database: StateDatabase;
    readonly writer: StateWriter;
    readonly orchestration: JobOrchestration;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#database = dependencies.database;
    this.#writer = dependencies.writer;
    this.#orchestration = dependencies.orchestration;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  start(): void {
    this.#orchestration.onWork(() => this.wake());
    this.wake();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#closed) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#cancel?.();
    this.#running = this.#run();
  }

  /** Resolves once nothing is due at this moment. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = LOOK_MS;
    try {
      do {
        this.#again = false;
        await this.#lookAtClock();
        await this.#lookAtFleets();
        pauseMs = await this.#doDue();
      } while (this.#again && !this.#closed);
    } catch (error) {
      this.#logLines.error({ err: error }, 'it could not be found out which jobs are due; it is tried again');
    } finally {
      this.#running = undefined;
    }
    if (!this.#closed) this.#cancel = this.#clock.after(Math.max(1, pauseMs), () => this.wake());
  }

  /** Where the clock was set back, what was planned would come late by as much: jobs are asked anew when they go on. */
  async #lookAtClock(): Promise<void> {
    const nowMs = this.#clock.now();
    const aheadMs = nowMs - this.#clock.monotonicMs();
    const isSetBack = aheadMs < this.#aheadMs - SET_BACK_MS;
    this.#aheadMs = aheadMs;
    if (!isSetBack) return;
    this.#paused.clear();
    const rows = await this.#database
      .selectFrom('job')
      .select('number')
      .where('next_at_ms', '>', nowMs)
      .where('status', '!=', 'SCHEDULED')
      .execute();
    for (const { number } of rows) if (!this.#closed) await this.#step(Number(number));
  }

  async #lookAtFleets(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#fleetsAtMs < FLEETS_MS) return;
    this.#fleetsAtMs = nowMs;
    for (const number of await this.#orchestration.changedMeanings(this.#database)) await this.#step(number);
  }

  /** @returns how long it may rest, ms. */
  async #doDue(): Promise<number> {
    for (;;) {
      const nowMs = this.#clock.now();
      const rows = await this.#database
        .selectFrom('job')
        .select(['number', 'next_at_ms'])
        .where('next_at_ms', 'is not', null)
        .orderBy('next_at_ms')
        .orderBy('number')
        .limit(JOBS_AT_ONCE + this.#paused.size)
        .execute();
      const planned = rows.map((row) => ({
        number: Number(row.number),
        atMs: Math.max(Number(row.next_at_ms), this.#paused.get(Number(row.number)) ?? 0),
      }));
      const due = planned.filter(({ atMs }) => atMs <= nowMs);
      if (due.length === 0 || this.#closed) {
        return planned.reduce((least, { atMs }) => Math.min(least, atMs - nowMs), LOOK_MS);
      }
      for (const { number } of due) {
        if (this.#closed) return LOOK_MS;
        await this.#step(number);
      }
    }
  }

  async #step(job: number): Promise<void> {
    this.#paused.delete(job);
    try {
      await this.#writer.run(this.#orchestration, { kind: 'step', job });
    } catch (error) {
      if (this.#closed) return;
      this.#paused.set(job, this.#clock.now() + PAUSE_MS);
      this.#logLines.error({ err: error, job }, 'a step of a job failed; it is tried again');
    }
  }
}
