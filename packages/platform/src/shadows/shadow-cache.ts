import type { ShadowRow } from './shadow-rows.ts';

/** Of the maps and objects of one. */
const OVERHEAD_BYTES = 400;

/**
 * Rows of shadows that were used last, as the transaction under way sees them. The owner forgets those that a transaction changed where
 * it is undone. Rows, not documents: the garbage collector passes over their texts, and a document is read from them in no time.
 */
export class ShadowCache {
  readonly #maxBytes: number;
  readonly #rows = new Map<string, ShadowRow>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(path: string): ShadowRow | undefined {
    const row = this.#rows.get(path);
    if (row === undefined) return undefined;
    this.#rows.delete(path);
    this.#rows.set(path, row);
    return row;
  }

  set(row: ShadowRow): void {
    this.forget(row.path);
    this.#rows.set(row.path, row);
    this.#bytes += weightOf(row);
    if (this.#bytes <= this.#maxBytes) return;
    for (const oldest of this.#rows.keys()) {
      this.forget(oldest);
      if (this.#bytes <= this.#maxBytes) return;
    }
  }

  forget(path: string): void {
    const row = this.#rows.get(path);
    if (row === undefined) return;
    this.#rows.delete(path);
    this.#bytes -= weightOf(row);
  }
}

function weightOf(row: ShadowRow): number {
  return OVERHEAD_BYTES + row.state.length + row.details.length;
}
