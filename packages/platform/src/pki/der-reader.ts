import { TAG } from './der-writer.ts';

/** What is read is not DER, or not of the form that was asked for. Callers turn it into an error of their own. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/**
 * Reads the values of one level one after the other; strict DER (X.690, section 10): definite lengths in their shortest form, tags of one
 * byte. Copies nothing, does not recurse: nesting costs a reader for each level that the caller asks for, and nothing else is looked at.
 *
 * All methods: @throws DerError
 */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next value, which must have this tag if one is given. */
  next(tag?: number): DerValue {
    const bytes = this.#bytes;
    const start = this.#at;
    const found = bytes[start];
    const first = bytes[start + 1];
    if (found === undefined || first === undefined) throw new DerError('ends too early');
    if ((found & 0x1f) === 0x1f) throw new DerError('a tag of several bytes');
    if (tag !== undefined && found !== tag) throw new DerError(`tag 0x${found.toString(16)} instead of 0x${tag.toString(16)}`);
    let from = start + 2;
    let size = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4) throw new DerError('an indefinite or too long length');
      if (from + count > bytes.length) throw new DerError('ends too early');
      size = bytes.readUIntBE(from, count);
      from += count;
      if (size < 0x80 || size < 2 ** (8 * (count - 1))) throw new DerError('a length that is not the shortest');
    }
    const end = from + size;
    if (end > bytes.length) throw new DerError('ends too early');
    this.#at = end;
    return { tag: found, content: bytes.subarray(from, end), whole: bytes.subarray(start, end) };
  }

  /** The next value if it has this tag. */
  optional(tag: number): DerValue | undefined {
    return this.#bytes[this.#at] === tag ? this.next(tag) : undefined;
  }

  /** A reader of the contents of the next value. */
  enter(tag: number = TAG.sequence): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** The next value, an INTEGER: its content, in the shortest form. */
  integer(): Buffer {
    const { content } = this.next(TAG.integer);
    const [first, second] = content;
    if (first === undefined) throw new DerError('an empty integer');
    if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
      throw new DerError('an integer that is not the shortest');
    return content;
  }

  /** The next value, an INTEGER that is not negative: its bytes without leading zeros. */
  unsigned(): Buffer {
    const content = this.integer();
    if ((content[0] ?? 0) >= 0x80) throw new DerError('a negative integer');
    return content[0] === 0 && content.length > 1 ? content.subarray(1) : content;
  }

  /** The next value, a BIT STRING of whole bytes. */
  bits(): Buffer {
    const { content } = this.next(TAG.bitString);
    if (content[0] !== 0) throw new DerError('a bit string that is not of whole bytes');
    return content.subarray(1);
  }

  /** @throws DerError when something is left. */
  end(): void {
    if (!this.done) throw new DerError('goes on after its end');
  }
}

/** The one value that `bytes` hold, as a reader of its contents. */
export function readWhole(bytes: Uint8Array, tag: number = TAG.sequence): DerReader {
  const outer = new DerReader(bytes);
  const inner = outer.enter(tag);
  outer.end();
  return inner;
}

/** UTCTime or GeneralizedTime in the form RFC 5280 (section 4.1.2.5) demands; ms. @throws DerError */
export function readTime({ tag, content }: DerValue): number {
  const text = content.toString('latin1');
  const match = (
    tag === TAG.utcTime ? /^(\d{2})(\d{10})Z$/ : tag === TAG.generalizedTime ? /^(\d{4})(\d{10})Z$/ : undefined
  )?.exec(text);
  const [, yearText = '', rest = ''] = match ?? [];
  const year = tag === TAG.utcTime ? (Number(yearText) < 50 ? 2000 : 1900) + Number(yearText) : Number(yearText);
  const [, month, day, hour, minute, second] = /^(..)(..)(..)(..)(..)$/.exec(rest) ?? [];
  const ms = Date.parse(`${String(year).padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (match === null || match === undefined || Number.isNaN(ms)) throw new DerError('a time that is none');
  return ms;
}
