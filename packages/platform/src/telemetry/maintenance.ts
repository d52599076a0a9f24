import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Positions } from './consumed-steps.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';

/** So many due buffers are worth a transaction. */
const SEAL_BUFFERS = 64;
/** Fewer wait so long for company, as do dead letters and new series; live updates are posted so often. */
const GATHER_MS = 100;
const AGE_MS = 1000;
const RETRY_MS = 1000;
const COMPACT_MS = 50;
const COMPLAIN_MS = 10_000;
/** Slices of 5 ms: up to a fifth of the thread where it has nothing else to do, ... */
const ROLL_UP_MS = 25;
/** ... and a little where it never catches up. */
const ROLL_UP_BUSY_MS = 250;
const ROLL_UP_RETRY_MAX_MS = 60_000;
/** A bad day fails once a round: the others are done in between. */
const OF_DAYS_RETRY_MAX_MS = 10_000;

export interface MaintenanceOptions {
  readonly writer: TelemetryWriter;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly lowWaterEveryMs: number;
  /** The mark is durable: the log may drop what lies before it. */
  readonly onLowWater: (positions: Positions) => void;
}

/** Everything the processor does besides consuming, one bounded piece at a time. What fails is tried again a second later. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #lastMs = new Map<string, number>();
  #retryAtMs = -Infinity;
  #complainAtMs = -Infinity;
  #lowWaterNext = false;
  #rollUpAtMs = -Infinity;
  #rollUpFailuresInARow = 0;
  #rollUpNext = false;
  readonly #failedOfDays = new Map<string, { readonly inARow: number; readonly untilMs: number }>();
  /** How often something could not be written. */
  failures = 0;
  /** The last attempt to write failed. */
  failing = false;
  /** How often rollups could not be written. Ingest does not need them: it goes on. */
  rollUpFailures = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** It need not wait longer than this for its next turn: ms; undefined where it has nothing under way. */
  get nextTurnMs(): number | undefined {
    const { rollups, eraser } = this.#options.writer;
    if (rollups.busy && this.#rollUpFailuresInARow === 0) return ROLL_UP_MS;
    return eraser.busy && !this.#failedOfDays.has('erase') ? COMPACT_MS : undefined;
  }

  /**
   * Does the most urgent piece. @param idle nothing is left to consume
   * @returns true when more is urgent: call again soon, but let others have their turn first
   */
  run(idle: boolean): boolean {
    const { writer } = this.#options;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#every('live', GATHER_MS, nowMs)) writer.live.post();
    // After a long stop all of the log is old: it waits for the end of the replay, so that chunks do not become tiny.
    if (!writer.replaying && this.#every('age', AGE_MS, nowMs)) writer.policy.byAge(nowMs, writer.consumer.records);
    writer.policy.byFill();
    const counting = writer.cardinality.step();
    if (nowMs < this.#retryAtMs) return counting;
    try {
      const more = this.#write(nowMs, idle);
      this.failing = false;
      return more || counting;
    } catch (error) {
      this.#failed(nowMs, error);
      return false;
    }
  }

  #write(nowMs: number, idle: boolean): boolean {
    const { writer, lowWaterEveryMs } = this.#options;
    const { memtable, lowWater, devices, deadLetters, catalog } = writer;
    if (!lowWater.running && this.#every('low-water', lowWaterEveryMs, nowMs)) writer.beginLowWater();
    // In turns with sealing, which may never come to an end.
    this.#lowWaterNext = !this.#lowWaterNext && lowWater.running;
    if (this.#lowWaterNext) {
      const saved = lowWater.step();
      if (saved !== undefined) this.#options.onLowWater(saved);
      return true;
    }
    if (memtable.dueBuffers >= SEAL_BUFFERS || (memtable.dueBuffers > 0 && this.#every('seal', GATHER_MS, nowMs))) {
      writer.seal();
      return memtable.dueBuffers >= SEAL_BUFFERS || lowWater.running;
    }
    if (devices.firstUnsaved < devices.nextSeries && this.#every('series', GATHER_MS, nowMs)) {
      if (writer.chunks.saveSeries()) this.#lastMs.delete('series');
    } else if (deadLetters.waiting > 0 && this.#every('dead-letters', GATHER_MS, nowMs)) {
      if (deadLetters.write(catalog.log)) this.#lastMs.delete('dead-letters');
    } else if (!(writer.eraser.busy && this.#ofDays('erase', nowMs, () => writer.eraser.step()))) {
      // In turns, for either may be due each time.
      this.#rollUpNext = !this.#rollUpNext;
      if (!(this.#rollUpNext && this.#rollUp(nowMs, idle)) && idle) this.#ofDays('compact', nowMs, () => writer.compactor.step());
    }
    return lowWater.running;
  }

  /**
   * Work on days that are stored. Where it fails, with one bad day perhaps, it pauses, and all else goes on: points must be stored
   * meanwhile. @returns false when it was not its turn
   */
  #ofDays(what: 'erase' | 'compact', nowMs: number, work: () => void): boolean {
    const failed = this.#failedOfDays.get(what);
    if (failed !== undefined && nowMs < failed.untilMs) return false;
    if (!this.#every(what, COMPACT_MS, nowMs)) return false;
    try {
      work();
      this.#failedOfDays.delete(what);
    } catch (error) {
      this.failures++;
      const inARow = (failed?.inARow ?? 0) + 1;
      const waitMs = Math.min(RETRY_MS * 2 ** Math.min(10, inARow - 1), OF_DAYS_RETRY_MAX_MS);
      this.#failedOfDays.set(what, { inARow, untilMs: nowMs + waitMs });
      this.#options.logLines.error({ err: error, work: what, waitMs }, 'A stored day could not be tidied up; it is tried again');
    }
    return true;
  }

  /** Not while the log is replayed: that comes first. @returns true when it did something */
  #rollUp(nowMs: number, idle: boolean): boolean {
    const { writer } = this.#options;
    if (writer.replaying || nowMs < this.#rollUpAtMs) return false;
    if (!this.#every('roll-up', idle ? ROLL_UP_MS : ROLL_UP_BUSY_MS, nowMs)) return false;
    try {
      const before = writer.rollups.rows;
      const more = writer.rollups.step();
      if (writer.rollups.rows > before || !more) this.#rollUpFailuresInARow = 0;
      return more;
    } catch (error) {
      this.rollUpFailures++;
      const waitMs = Math.min(RETRY_MS * 2 ** this.#rollUpFailuresInARow++, ROLL_UP_RETRY_MAX_MS);
      this.#rollUpAtMs = nowMs + waitMs;
      this.#options.logLines.error({ err: error, waitMs }, 'Rollups could not be written; they are tried again');
      return true;
    }
  }

  #every(what: string, periodMs: number, nowMs: number): boolean {
    if (nowMs - (this.#lastMs.get(what) ?? -Infinity) < periodMs) return false;
    this.#lastMs.set(what, nowMs);
    return true;
  }

  #failed(nowMs: number, error: unknown): void {
    this.failures++;
    this.failing = true;
    this.#retryAtMs = nowMs + RETRY_MS;
    if (nowMs < this.#complainAtMs) return;
    this.#complainAtMs = nowMs + COMPLAIN_MS;
    this.#options.logLines.error(
      { err: error, failures: this.failures },
      'The telemetry store could not write; it tries again every second',
    );
  }
}
