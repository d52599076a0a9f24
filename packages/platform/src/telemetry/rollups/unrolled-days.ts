/** The days of which marks may have stale hours: what the catalog lists as unrolled, in memory. Few: those that are written to. */
export class UnrolledDays {
  readonly #days = new Set<number>();
  #sorted: readonly number[] | undefined = [];

  has(day: number): boolean {
    return this.#days.has(day);
  }

  add(day: number): void {
    this.#days.add(day);
    this.#sorted = undefined;
  }

  delete(day: number): void {
    this.#days.delete(day);
    this.#sorted = undefined;
  }

  /** Ascending. */
  get all(): readonly number[] {
    return (this.#sorted ??= [...this.#days].sort((a, b) => a - b));
  }
}
