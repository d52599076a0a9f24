import type { ShadowDocument } from './shadow-document.ts';
import type { DocumentTexts } from './shadow-texts.ts';

/** What is known of a shadow, also of one that was deleted or never was. Never changed in place. */
export interface KnownShadow {
  /** Of its row; 0: it has none. */
  readonly id: number;
  /** The last one that it had. */
  readonly version: number;
  readonly historyId: number;
  /** Undefined: it is not there. */
  readonly document: ShadowDocument | undefined;
  /** Undefined: not made yet. */
  readonly texts: DocumentTexts | undefined;
  /** Of its row, about. */
  readonly sizeBytes: number;
}

/** Of the maps and objects of one. */
const OVERHEAD_BYTES = 600;
/** A document in memory, with its texts, beside the text of its row. */
const BYTES_PER_BYTE = 5;

/**
 * Shadows that were used last, as the transaction under way sees them. The owner forgets those that a transaction changed where it is
 * undone.
 */
export class ShadowCache {
  readonly #maxBytes: number;
  readonly #shadows = new Map<string, KnownShadow>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(path: string): KnownShadow | undefined {
    const known = this.#shadows.get(path);
    if (known === undefined) return undefined;
    this.#shadows.delete(path);
    this.#shadows.set(path, known);
    return known;
  }

  set(path: string, known: KnownShadow): void {
    this.forget(path);
    this.#shadows.set(path, known);
    this.#bytes += weightOf(known);
    if (this.#bytes <= this.#maxBytes) return;
    for (const oldest of this.#shadows.keys()) {
      this.forget(oldest);
      if (this.#bytes <= this.#maxBytes) return;
    }
  }

  forget(path: string): void {
    const known = this.#shadows.get(path);
    if (known === undefined) return;
    this.#shadows.delete(path);
    this.#bytes -= weightOf(known);
  }
}

function weightOf(known: KnownShadow): number {
  return OVERHEAD_BYTES + known.sizeBytes * BYTES_PER_BYTE;
}
