const SLOTS = 512;
const CACHED_BYTES = 32;

interface CachedText {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Texts from bytes. Short ones that come again and again (names, states) are the same string each time. */
export class ShortTexts {
  readonly #cache = Array<CachedText | undefined>(SLOTS).fill(undefined);
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  /** @throws TypeError when `data[from, to)` is not UTF-8 */
  read(data: Uint8Array, from: number, to: number): string {
    const size = to - from;
    if (size > CACHED_BYTES) return this.#utf8.decode(data.subarray(from, to));
    let hash = 0x811c9dc5 | 0;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ data[at]!, 0x01000193);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const cached = this.#cache[slot];
    if (cached !== undefined && sameBytes(cached.bytes, data, from, size)) return cached.text;
    const text = this.#utf8.decode(data.subarray(from, to));
    // Not `data.slice`: of a Buffer that is a view, and its owner fills it anew.
    this.#cache[slot] = { bytes: Uint8Array.from(data.subarray(from, to)), text };
    return text;
  }
}

function sameBytes(bytes: Uint8Array, data: Uint8Array, from: number, size: number): boolean {
  if (bytes.length !== size) return false;
  for (let i = 0; i < size; i++) if (bytes[i] !== data[from + i]) return false;
  return true;
}
