/*
 * What JSON.parse does not tell: where. These scans run on what it shall not be given (nesting), or has refused.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Offset of the first bracket that opens a level beyond `maxDepth`, or -1. Linear, and needs no valid JSON. */
export function tooDeepAt(data: Uint8Array, start: number, end: number, maxDepth: number): number {
  let depth = 0;
  for (let at = start; at < end; at++) {
    const byte = data[at]!;
    if (byte === QUOTE) {
      at++;
      while (at < end && data[at] !== QUOTE) at += data[at] === BACKSLASH ? 2 : 1;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > maxDepth) return at;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth--;
    }
  }
  return -1;
}

/** Offset of the first byte that is no part of well-formed UTF-8 (Unicode 16, table 3-7), or -1. */
export function invalidUtf8At(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const lead = data[at]!;
    const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size === 0 || at + size > end) return at;
    for (let i = 1; i < size; i++) {
      const byte = data[at + i]!;
      const low = i > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const high = i > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      if (byte < low || byte > high) return at;
    }
    at += size;
  }
  return -1;
}

/** Offset of the first byte that is against RFC 8259 (`end` when it stops too early), or -1. Depth is bounded by the caller. */
export function jsonErrorAt(data: Uint8Array, start: number, end: number): number {
  const scan = new JsonScan(data, start, end);
  return scan.value() && scan.finished() ? -1 : scan.at;
}

/** Each method stands behind what it names, or returns false with `at` on the offending byte. */
class JsonScan {
  at: number;
  readonly #data: Uint8Array;
  readonly #end: number;

  constructor(data: Uint8Array, start: number, end: number) {
    this.#data = data;
    this.at = start;
    this.#end = end;
  }

  value(): boolean {
    this.#space();
    const byte = this.#peek();
    if (byte === OPEN_OBJECT) return this.#list(CLOSE_OBJECT, () => this.#member());
    if (byte === OPEN_ARRAY) return this.#list(CLOSE_ARRAY, () => this.value());
    if (byte === QUOTE) return this.#string();
    if (byte === 0x74) return this.#word('true');
    if (byte === 0x66) return this.#word('false');
    if (byte === 0x6e) return this.#word('null');
    return this.#number();
  }

  finished(): boolean {
    this.#space();
    return this.at === this.#end;
  }

  #peek(): number {
    return this.at < this.#end ? this.#data[this.at]! : -1;
  }

  #space(): void {
    while (isSpace(this.#peek())) this.at++;
  }

  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.at++;
    return true;
  }

  #list(close: number, item: () => boolean): boolean {
    this.at++;
    this.#space();
    if (this.#take(close)) return true;
    for (;;) {
      if (!item()) return false;
      this.#space();
      if (this.#take(close)) return true;
      if (!this.#take(COMMA)) return false;
    }
  }

  #member(): boolean {
    this.#space();
    if (this.#peek() !== QUOTE || !this.#string()) return false;
    this.#space();
    return this.#take(COLON) && this.value();
  }

  #word(word: string): boolean {
    for (let i = 0; i < word.length; i++) if (!this.#take(word.charCodeAt(i))) return false;
    return true;
  }

  #string(): boolean {
    this.at++;
    for (;;) {
      const byte = this.#peek();
      if (byte < 0x20) return false;
      this.at++;
      if (byte === QUOTE) return true;
      if (byte === BACKSLASH && !this.#escape()) return false;
    }
  }

  #escape(): boolean {
    const byte = this.#peek();
    if (byte === 0x75) {
      this.at++;
      for (let i = 0; i < 4; i++) {
        if (!isHex(this.#peek())) return false;
        this.at++;
      }
      return true;
    }
    if (byte < 0 || !'"\\/bfnrt'.includes(String.fromCharCode(byte))) return false;
    this.at++;
    return true;
  }

  #number(): boolean {
    this.#take(0x2d);
    if (!this.#take(0x30) && !this.#digits()) return false;
    if (this.#take(0x2e) && !this.#digits()) return false;
    if (this.#take(0x65) || this.#take(0x45)) {
      if (!this.#take(0x2b)) this.#take(0x2d);
      return this.#digits();
    }
    return true;
  }

  #digits(): boolean {
    const from = this.at;
    while (this.#peek() >= 0x30 && this.#peek() <= 0x39) this.at++;
    return this.at > from;
  }
}

/** Behind the white space that begins at `start`. */
export function afterSpace(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(data[at]!)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
