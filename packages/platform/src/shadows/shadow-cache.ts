import type { ShadowRow } from './shadow-rows.ts';

/** Of the maps and objects of one. */
const OVERHEAD_BYTES = 400;

/**
 * Rows of shadows that were used lately, as the transaction under way sees them. The owner forgets those that a transaction changed where
 * it is undone. Rows, not documents: the garbage collector passes over their texts, and a document is read from them in no time.
 *
 * Two halves: what is used goes into the young one; once that is full it is the old one, and what was left in the old one is gone. So a
 * look-up never reorders anything, as it would in a list by last use.
 */
export class ShadowCache {
  readonly #maxYoungBytes: number;
  #young = new Map<string, ShadowRow>();
  #old = new Map<string, ShadowRow>();
  /** Of the young half, at most: what was replaced in it counts again. */
  #youngBytes = 0;

  constructor(maxBytes: number) {
    this.#maxYoungBytes = maxBytes / 2;
  }

  get(path: string): ShadowRow | undefined {
    return this.#young.get(path) ?? this.#old.get(path);
  }

  /** Must be called for what was used, too: it is what keeps it. */
  set(row: ShadowRow): void {
    if (this.#young.get(row.path) === row) return;
    this.#young.set(row.path, row);
    this.#youngBytes += OVERHEAD_BYTES + row.state.length + row.details.length;
    if (this.#youngBytes <= this.#maxYoungBytes) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  forget(path: string): void {
    this.#young.delete(path);
    this.#old.delete(path);
  }
}
