const MAX_KEPT = 10_000;

/**
 * Lets "last used" be written once in a while instead of at each request. Beyond 10,000 names all is forgotten, and a few are
 * written once more than needed.
 */
export class NotedTimes {
  readonly #everyMs: number;
  readonly #notedAtMs = new Map<string, number>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** True when it is to be written now; until `everyMs` later it is not again. */
  due(name: string, storedAtMs: number | undefined, nowMs: number): boolean {
    const lastMs = Math.max(storedAtMs ?? -Infinity, this.#notedAtMs.get(name) ?? -Infinity);
    // A clock that was set back would else keep it from being written for long.
    if (nowMs >= lastMs && nowMs - lastMs < this.#everyMs) return false;
    if (this.#notedAtMs.size >= MAX_KEPT) this.#notedAtMs.clear();
    this.#notedAtMs.set(name, nowMs);
    return true;
  }
}
