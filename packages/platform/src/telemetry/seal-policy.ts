import type { ConsumedSteps } from './consumed-steps.ts';
import type { Memtable } from './memtable.ts';

export interface SealLimits {
  /** The longest that a point waits in memory, ms. */
  readonly sealAfterMs: number;
  /** A point waits no longer than so many further records: it bounds what a restart must read again. */
  readonly sealAfterRecords: number;
}

/** At this fill of the memtable the largest buffers become due before their time, so many at once. */
const HIGH_FILL = 0.8;
const FILL_BUFFERS = 4096;

const SPREAD = 64;

/** Decides which buffers are due; a buffer that is full becomes due by itself. */
export class SealPolicy {
  readonly #memtable: Memtable;
  readonly #steps: ConsumedSteps;
  readonly #limits: SealLimits;
  readonly #ageSteps = new Int32Array(SPREAD);

  constructor(memtable: Memtable, steps: ConsumedSteps, limits: SealLimits) {
    this.#memtable = memtable;
    this.#steps = steps;
    this.#limits = limits;
  }

  /** Marks what is due by age or by distance, linear in the number of buffers. To be called once a second. @param nowMs by the monotonic clock */
  byAge(nowMs: number, consumed: number): void {
    const oldest = this.#memtable.oldestStep();
    if (oldest === Infinity) return;
    const { sealAfterMs, sealAfterRecords } = this.#limits;
    let step = oldest;
    // Series that began together, as all do at midnight, must not end together: each waits 3/4 to 1 of the time.
    for (let part = 0; part < SPREAD; part++) {
      const share = 1 - part / SPREAD / 4;
      const isDue = (at: number): boolean =>
        this.#steps.startMs(at) <= nowMs - sealAfterMs * share || this.#steps.consumed(at) <= consumed - sealAfterRecords * share;
      while (step <= this.#steps.current && isDue(step)) step++;
      this.#ageSteps[part] = step;
    }
    for (const buffer of this.#memtable.all()) {
      const part = (Math.imul(this.#memtable.seriesOf(buffer), -1_640_531_527) >>> 26) & (SPREAD - 1);
      if (this.#memtable.firstStepOf(buffer) < this.#ageSteps[part]!) this.#memtable.makeDue(buffer);
    }
  }

  /** Marks the largest buffers where the memtable is nearly full and nothing is due. */
  byFill(): void {
    if (this.#memtable.fill < HIGH_FILL || this.#memtable.dueBuffers > 0) return;
    // By powers of two of their number of points: two passes, and the large ones make the best chunks.
    const buffers = new Float64Array(32);
    for (const buffer of this.#memtable.all()) buffers[sizeClass(this.#memtable.countOf(buffer))]!++;
    let wanted = FILL_BUFFERS;
    let smallest = 31;
    for (; smallest > 0 && wanted > buffers[smallest]!; smallest--) wanted -= buffers[smallest]!;
    for (const buffer of this.#memtable.all()) {
      const size = sizeClass(this.#memtable.countOf(buffer));
      if (size > smallest || (size === smallest && wanted-- > 0)) this.#memtable.makeDue(buffer);
    }
  }

  all(): void {
    for (const buffer of this.#memtable.all()) this.#memtable.makeDue(buffer);
  }
}

function sizeClass(count: number): number {
  return 31 - Math.clz32(count);
}
