/** For each partition (by its index in the list of readers) the offset of the first record that is not consumed. */
export type Positions = readonly number[];

export interface Step {
  /** Where the partitions stood when it began. */
  readonly positions: Positions;
  /** When its first record arrived, by the monotonic clock. */
  readonly startMs: number;
  /** Records consumed in all partitions before it. */
  readonly consumed: number;
  /** The newest time that any sample without one of its own had been given before it. */
  readonly assignedMs: number;
}

/**
 * Cuts what is consumed into steps, so that a buffer remembers with one number where in all partitions it began.
 *
 * A buffer opened in step s holds no point of a record before positions(s).
 */
export class ConsumedSteps {
  readonly #steps: Step[] = [];
  #first = 0;

  get current(): number {
    return this.#first + this.#steps.length - 1;
  }

  begin(step: Step): number {
    this.#steps.push({ ...step, positions: [...step.positions] });
    return this.current;
  }

  positions(step: number): Positions {
    return this.#at(step).positions;
  }

  startMs(step: number): number {
    return this.#at(step).startMs;
  }

  assignedMs(step: number): number {
    return this.#at(step).assignedMs;
  }

  consumed(step: number): number {
    return this.#at(step).consumed;
  }

  /** Steps before this one are not asked for again. */
  dropBefore(step: number): void {
    const count = Math.min(step, this.current) - this.#first;
    if (count <= 0) return;
    this.#steps.splice(0, count);
    this.#first += count;
  }

  #at(step: number): Step {
    const found = this.#steps[step - this.#first];
    if (found === undefined) throw new RangeError(`step ${step} is gone`);
    return found;
  }
}
