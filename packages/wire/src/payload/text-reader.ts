const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLOTS = 256;
const CACHED_BYTES = 32;

interface CachedText {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Plain JSON strings from bytes. Short ones that come again and again (states, modes) are the same string each time. */
export class TextReader {
  /** Behind the closing quote of the string that was read last. */
  end = 0;
  readonly #maxBytes: number;
  readonly #cache = Array<CachedText | undefined>(SLOTS).fill(undefined);
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The string whose quote opens at `start`; undefined with an escape, or where it is not valid: JSON.parse shall see it. */
  read(data: Uint8Array, start: number, end: number): string | undefined {
    const from = start + 1;
    let hash = 0x811c9dc5 | 0;
    let at = from;
    for (; ; at++) {
      if (at >= end) return undefined;
      const byte = data[at]!;
      if (byte === QUOTE) break;
      if (byte < 0x20 || byte === BACKSLASH) return undefined;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    this.end = at + 1;
    const size = at - from;
    if (size > this.#maxBytes) return undefined;
    if (size > CACHED_BYTES) return this.#decode(data, from, at);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const cached = this.#cache[slot];
    if (cached !== undefined && sameBytes(cached.bytes, data, from, size)) return cached.text;
    const text = this.#decode(data, from, at);
    // Not `data.slice`: of a Buffer that is a view, and its owner fills it anew.
    if (text !== undefined) this.#cache[slot] = { bytes: Uint8Array.from(data.subarray(from, at)), text };
    return text;
  }

  #decode(data: Uint8Array, from: number, to: number): string | undefined {
    try {
      return this.#utf8.decode(data.subarray(from, to));
    } catch {
      return undefined; // not UTF-8: said by the slow way
    }
  }
}

function sameBytes(bytes: Uint8Array, data: Uint8Array, from: number, size: number): boolean {
  if (bytes.length !== size) return false;
  for (let i = 0; i < size; i++) if (bytes[i] !== data[from + i]) return false;
  return true;
}
