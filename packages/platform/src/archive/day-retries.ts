const FIRST_MS = 10_000;
const MAX_MS = 600_000;

/** Days with which something failed: each is tried again after a pause of its own, and the others go on as if nothing were. */
export class DayRetries {
  readonly #failed = new Map<number, { readonly tries: number; readonly atMs: number }>();

  /** @param nowMs monotonic */
  failed(day: number, nowMs: number): void {
    const tries = (this.#failed.get(day)?.tries ?? 0) + 1;
    this.#failed.set(day, { tries, atMs: nowMs + Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(10, tries - 1)) });
  }

  succeeded(day: number): void {
    this.#failed.delete(day);
  }

  /** False while it pauses. */
  isDue(day: number, nowMs: number): boolean {
    return (this.#failed.get(day)?.atMs ?? -Infinity) <= nowMs;
  }

  /** The pauses are over. */
  retryNow(): void {
    this.#failed.clear();
  }

  /** All other days are gone. */
  keep(days: ReadonlySet<number>): void {
    for (const day of this.#failed.keys()) if (!days.has(day)) this.#failed.delete(day);
  }

  get count(): number {
    return this.#failed.size;
  }

  /** When the first pause is over; Infinity where there is none. */
  get nextMs(): number {
    return this.#failed.values().reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
  }
}
