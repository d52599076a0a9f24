import type { ConsumedSteps } from './consumed-steps.ts';
import type { Memtable } from './memtable.ts';

export interface SealLimits {
  /** The longest that a point waits in memory, ms. */
  readonly sealAfterMs: number;
  /** A point waits no longer than so many further records: it bounds what a restart must read again. */
  readonly sealAfterRecords: number;
}

/** At this fill of the memtable buffers become due before their time, until it would be back at the lower one. */
const HIGH_FILL = 0.8;
const LOW_FILL = 0.6;

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

  /** Marks what is due by age or by distance, linear in the number of buffers. To be called once a second. */
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

  /** Marks the largest buffers where the memtable is nearly full. */
  byFill(): void {
    const fill = this.#memtable.fill;
    if (fill < HIGH_FILL || this.#memtable.dueBuffers > 0) return;
    const share = 1 - LOW_FILL / fill;
    // By powers of two of their number of points: few passes, and the large ones make the best chunks.
    const points = new Float64Array(32);
    for (const buffer of this.#memtable.all()) points[sizeClass(this.#memtable.countOf(buffer))]! += this.#memtable.countOf(buffer);
    let wanted = this.#memtable.points * share;
    const take = new Float64Array(32);
    for (let size = 31; size >= 0 && wanted > 0; size--) {
      take[size] = Math.min(wanted, points[size]!);
      wanted -= take[size]!;
    }
    for (const buffer of this.#memtable.all()) {
      const count = this.#memtable.countOf(buffer);
      const size = sizeClass(count);
      if (take[size]! <= 0) continue;
      take[size]! -= count;
      this.#memtable.makeDue(buffer);
    }
  }

  all(): void {
    for (const buffer of this.#memtable.all()) this.#memtable.makeDue(buffer);
  }
}

function sizeClass(count: number): number {
  return 31 - Math.clz32(count);
}
