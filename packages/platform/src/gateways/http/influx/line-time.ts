export type Precision = 'ns' | 'us' | 'ms' | 's' | 'm' | 'h';

/** Digits that a time has below a ms. */
const BELOW_MS: Readonly<Record<Precision, number>> = { ns: 6, us: 3, ms: 0, s: 0, m: 0, h: 0 };
const MS: Readonly<Record<Precision, number>> = { ns: 1, us: 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** So many digits are an exact double. */
const EXACT_DIGITS = 15;
const MAX_DIGITS = 19;

/** Reads times of one precision, as ms: what is below a ms is cut off, for the store keeps none of it. */
export class TimeReader {
  readonly #cut: number;
  readonly #factor: number;

  constructor(precision: Precision) {
    this.#cut = BELOW_MS[precision];
    this.#factor = MS[precision];
  }

  /** @param `[start, end)` digits alone @returns NaN for more than a time can have */
  read(data: Uint8Array, start: number, end: number): number {
    if (end - start > MAX_DIGITS) return Number.NaN;
    const last = end - this.#cut;
    if (last - start > EXACT_DIGITS) return Number.NaN;
    let time = 0;
    for (let at = start; at < last; at++) time = time * 10 + (data[at]! - 0x30);
    return time * this.#factor;
  }

  /** The same for a time that was cut out; one before 1970 is -1. */
  parse(text: string): number {
    if (text.startsWith('-')) return -1;
    const bytes = Buffer.from(text, 'latin1');
    return this.read(bytes, 0, bytes.length);
  }
}
