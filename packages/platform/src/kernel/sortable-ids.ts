import type { RandomBytes } from './secret.ts';

/** Crockford's base32, whose characters are in the order of their codes. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/**
 * ULIDs (10 digits of ms, 16 of chance) that grow strictly, also within one ms and when the clock is set back: their order is that in
 * which they were made.
 */
export class SortableIds {
  readonly #random: RandomBytes;
  #last: string;

  /** @param last the newest that there is: all that follow are greater. */
  constructor(random: RandomBytes, last = '') {
    this.#random = random;
    this.#last = last;
  }

  next(nowMs: number): string {
    const time = idOfTime(nowMs);
    this.#last = time > this.#last.slice(0, TIME_DIGITS) ? time + this.#chance() : following(this.#last);
    return this.#last;
  }

  #chance(): string {
    let digits = '';
    // Every byte is uniform, so its lowest five bits are.
    for (const byte of this.#random(RANDOM_DIGITS)) digits += DIGITS[byte & 31];
    return digits;
  }
}

/** Ids that were made at this time or later are greater, those made earlier are less. */
export function idOfTime(timeMs: number): string {
  let left = Math.max(0, Math.floor(timeMs));
  let digits = '';
  for (let i = 0; i < TIME_DIGITS; i++) {
    digits = `${DIGITS[left % 32]}${digits}`;
    left = Math.floor(left / 32);
  }
  return digits;
}

/** The next greater one; carries from the end. */
function following(id: string): string {
  const digits = id.split('');
  for (let i = digits.length - 1; i >= 0; i--) {
    const value = DIGITS.indexOf(digits[i] ?? '0') + 1;
    if (value < 32) {
      digits[i] = DIGITS[value] ?? '0';
      break;
    }
    digits[i] = '0';
  }
  return digits.join('');
}
