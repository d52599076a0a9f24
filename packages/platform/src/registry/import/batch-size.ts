/** A batch that takes this long leaves the thread to others often enough. */
const AIM_MS = 12;
const FIRST = 150;
/** Fewer would spend more on the transaction than on the rows, and hold the others up longer. */
const LEAST = 150;
const MOST = 500;

/** How many rows a batch has, found out from how long the ones before took: another machine, other devices, another size. */
export class BatchSize {
  #rows = FIRST;

  get rows(): number {
    return this.#rows;
  }

  /** Grows slowly and shrinks at once. */
  took(rows: number, ms: number): void {
    if (rows === 0 || ms <= 0) return;
    const fitting = (rows * AIM_MS) / ms;
    const next = fitting < this.#rows ? (fitting + this.#rows) / 2 : Math.min(fitting, this.#rows * 1.25);
    this.#rows = Math.round(Math.min(MOST, Math.max(LEAST, next)));
  }
}
