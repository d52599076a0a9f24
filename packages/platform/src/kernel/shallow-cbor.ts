import { decode, Tokenizer, Type, type Token } from 'cborg';

/** Bytes that are not CBOR as it is taken here; the message is for the one who sent them. */
export class CborError extends Error {
  override readonly name = 'CborError';
}

/**
 * One value of RFC 8949, and of that what JSON can say: no tags, no indefinite lengths of text, every number in its shortest form.
 *
 * @param maxDepth levels of maps and arrays: the decoder calls itself for each.
 * @throws CborError
 */
export function decodeShallowCbor(bytes: Uint8Array, maxDepth: number): unknown {
  const options = {
    strict: true,
    rejectDuplicateMapKeys: true,
    allowUndefined: false,
    allowBigInt: false,
    retainStringBytes: true,
  };
  try {
    return decode(bytes, { ...options, tokenizer: new ShallowTokens(bytes, options, maxDepth) });
  } catch (error) {
    if (error instanceof CborError) throw error;
    throw new CborError('the payload is not CBOR as it is taken here');
  }
}

/** Stops at the level that is too deep, before the decoder has called itself so often. */
class ShallowTokens extends Tokenizer {
  readonly #maxDepth: number;
  /** For each level that is open how many values are still to come in it. */
  readonly #open: number[] = [];

  constructor(bytes: Uint8Array, options: ConstructorParameters<typeof Tokenizer>[1], maxDepth: number) {
    super(bytes, options);
    this.#maxDepth = maxDepth;
  }

  override next(): Token {
    while (this.#open.at(-1) === 0) this.#open.pop();
    const token = super.next();
    const last = this.#open.length - 1;
    if (Type.equals(token.type, Type.break)) {
      this.#open.pop();
      return token;
    }
    if (last >= 0) this.#open[last]!--;
    if (Type.equals(token.type, Type.string)) ensureUtf8(token.byteValue);
    const isMap = Type.equals(token.type, Type.map);
    if (isMap || Type.equals(token.type, Type.array)) {
      this.#open.push(Number(token.value) * (isMap ? 2 : 1));
      if (this.#open.length > this.#maxDepth) throw new CborError(`the payload has more than ${this.#maxDepth} levels`);
    }
    return token;
  }
}

/** RFC 8949, section 3.1: a text string that is not UTF-8 is not valid; cborg would take it with other characters. */
function ensureUtf8(bytes: Uint8Array | undefined): void {
  if (bytes === undefined) return;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CborError('a text is not UTF-8');
  }
}
