/** The days of which marks may have stale hours: what the catalog lists as unrolled, in memory. Few: those that are written to. */
export class UnrolledDays {
  readonly #days = new Set<number>();
  #sorted: readonly number[] | undefined = [];
  readonly #onChange: () => void;

  constructor(onChange: () => void = () => undefined) {
    this.#onChange = onChange;
  }

  has(day: number): boolean {
    return this.#days.has(day);
  }

  add(day: number): void {
    if (this.#days.has(day)) return;
    this.#days.add(day);
    this.#sorted = undefined;
    this.#onChange();
  }

  delete(day: number): void {
    if (!this.#days.delete(day)) return;
    this.#sorted = undefined;
    this.#onChange();
  }

  get size(): number {
    return this.#days.size;
  }

  /** Ascending. */
  get all(): readonly number[] {
    return (this.#sorted ??= [...this.#days].sort((a, b) => a - b));
  }
}
