import { parseJsonNumber } from './json-number.ts';
import type { SampleValue } from './sample-checks.ts';
import type { Shape } from './shape.ts';
import type { TextReader } from './text-reader.ts';

/*
 * What the samples of one type of device have in common, byte for byte: everything but their values.
 *
 *   {"ts":1700000000000,"values":{"a":1.5,"b":"idle"}}
 *   ~~~~~~             ~~~~~~~~~~~~~~~~   ~~~~~      ~~      ~ the skeleton's bytes, between them its slots: ts, a, b
 *
 * A slot takes any number, boolean or text. Two payloads with the same bytes around their slots are the same to JSON.parse,
 * but for what is in the slots. So a skeleton that was learned from a payload that JSON.parse has read stands for the whole
 * grammar: names, escapes, white space, order, nulls, the envelope.
 */
export class SampleSkeleton {
  readonly shape: Shape;
  readonly hasTime: boolean;
  /** One for each name, then the time. NaN where there is no number. */
  readonly numbers: Float64Array;
  /** The same memory without the time: what a visitor gets. */
  readonly values: Float64Array;
  /** Undefined when the object that was read last has nothing but numbers. */
  mixed: SampleValue[] | undefined = undefined;
  readonly #bytes: Uint8Array;
  /** Where in `#bytes` the slots are. */
  readonly #slotEnds: Int32Array;
  /** Where in `numbers` each slot's number goes. */
  readonly #slotTargets: Int32Array;

  constructor(shape: Shape, hasTime: boolean, bytes: Uint8Array, slotEnds: readonly number[], slotTargets: readonly number[]) {
    this.shape = shape;
    this.hasTime = hasTime;
    this.numbers = new Float64Array(shape.names.length + 1);
    this.values = this.numbers.subarray(0, shape.names.length);
    this.#bytes = bytes;
    this.#slotEnds = Int32Array.from(slotEnds);
    this.#slotTargets = Int32Array.from(slotTargets);
  }

  /** Fills `numbers` and `mixed` from the object at `start`. @returns the position after it, or -1 when it is another one. */
  read(data: Uint8Array, start: number, end: number, texts: TextReader): number {
    const bytes = this.#bytes;
    const slotEnds = this.#slotEnds;
    const targets = this.#slotTargets;
    const numbers = this.numbers;
    this.mixed = undefined;
    let at = start;
    let from = 0;
    for (let slot = 0; slot < slotEnds.length; slot++) {
      const to = slotEnds[slot]!;
      if (at + (to - from) > end) return -1;
      while (from < to) if (data[at++] !== bytes[from++]) return -1;
      const target = targets[slot]!;
      const after = parseJsonNumber(data, at, numbers, target);
      at = after >= 0 ? after : this.#readOther(data, at, end, target, texts);
      if (at < 0) return -1;
    }
    if (at + (bytes.length - from) > end) return -1;
    while (from < bytes.length) if (data[at++] !== bytes[from++]) return -1;
    if (this.mixed !== undefined) this.#fillMixed(this.mixed);
    return at;
  }

  #readOther(data: Uint8Array, at: number, end: number, target: number, texts: TextReader): number {
    if (target === this.values.length) return -1; // a time that is no number
    let value: SampleValue | undefined;
    let after: number;
    if (data[at] === 0x22) {
      value = texts.read(data, at, end);
      if (value === undefined) return -1;
      after = texts.end;
    } else if (isWord(data, at, TRUE)) {
      value = true;
      after = at + TRUE.length;
    } else if (isWord(data, at, FALSE)) {
      value = false;
      after = at + FALSE.length;
    } else {
      return -1;
    }
    this.mixed ??= Array<SampleValue>(this.values.length).fill(0);
    this.mixed[target] = value;
    this.numbers[target] = NaN;
    return after;
  }

  #fillMixed(mixed: SampleValue[]): void {
    for (let i = 0; i < mixed.length; i++) {
      const number = this.values[i]!;
      if (!Number.isNaN(number)) mixed[i] = number;
    }
  }
}

const TRUE = [0x74, 0x72, 0x75, 0x65] as const;
const FALSE = [0x66, 0x61, 0x6c, 0x73, 0x65] as const;

function isWord(data: Uint8Array, at: number, word: readonly number[]): boolean {
  for (let i = 0; i < word.length; i++) if (data[at + i] !== word[i]) return false;
  return true;
}
