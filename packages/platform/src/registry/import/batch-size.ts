/**
 * How long a transaction may take. It lets others have the thread in between (see Breathing), but whoever needs the database
 * waits for its end.
 */
const AIM_MS = 60;
const FIRST = 500;
/** Fewer would spend more on the transaction and on the postings that it touches than on the rows. */
const LEAST = 500;
const MOST = 2000;

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
