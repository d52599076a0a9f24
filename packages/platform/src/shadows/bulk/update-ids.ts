import type { RandomBytes } from '../../kernel/secret.ts';

/** Base32 whose characters are in the order of their codes. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/** Ids of 26 characters that sort by the ms in which they were made (a ULID). */
export class UpdateIds {
  readonly #random: RandomBytes;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  next(nowMs: number): string {
    let time = '';
    for (let left = Math.max(0, nowMs), i = 0; i < TIME_DIGITS; i++, left = Math.floor(left / 32))
      time = `${DIGITS[left % 32]}${time}`;
    return time + Array.from(this.#random(RANDOM_DIGITS), (byte) => DIGITS[byte & 31]).join('');
  }
}
