/** Applied to a sum that left the range of doubles: with it, 2^64 values of any size can be added. */
const SCALE = 2 ** -64;

/**
 * A sum that carries its rounding error along (Kahan-Babuska with Knuth's branch-free two-sum): its error does not grow
 * with the number of values, and it leaves the range of doubles only where the true sum does.
 */
export class RunningSum {
  #sum = 0;
  #lost = 0;
  #scale = 1;

  clear(): void {
    this.#sum = 0;
    this.#lost = 0;
    this.#scale = 1;
  }

  add(value: number): void {
    const scaled = value * this.#scale;
    const next = this.#sum + scaled;
    const taken = next - this.#sum;
    const lost = this.#lost + (this.#sum - (next - taken) + (scaled - taken));
    if (this.#keep(next, lost)) this.add(value);
  }

  /** Values `start` up to, not including, `end`. */
  addAll(values: Float64Array, start: number, end: number): void {
    const scale = this.#scale;
    let sum = this.#sum;
    let lost = this.#lost;
    for (let i = start; i < end; i++) {
      const value = values[i]! * scale;
      const next = sum + value;
      const taken = next - sum;
      lost += sum - (next - taken) + (value - taken);
      sum = next;
    }
    if (this.#keep(sum, lost)) this.addAll(values, start, end);
  }

  /** Infinite, or NaN, where what was added is. */
  get value(): number {
    return (Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum) / this.#scale;
  }

  /** @returns true when it was nothing: to be added once more, scaled */
  #keep(sum: number, lost: number): boolean {
    if ((Number.isFinite(sum) && Number.isFinite(lost)) || this.#scale !== 1) {
      this.#sum = sum;
      this.#lost = lost;
      return false;
    }
    this.#sum *= SCALE;
    this.#lost *= SCALE;
    this.#scale = SCALE;
    return true;
  }
}
