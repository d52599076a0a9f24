import type { Receipt } from '../../bus.ts';

/**
 * The receipts that one peer owes.
 *
 * Each has a number of its own, from 1, until it is answered; then the number is used again, so that the table stays as small as the
 * most that were owed at once.
 */
export class Receipts {
  readonly #owed: (Receipt | undefined)[] = [undefined];
  readonly #free: number[] = [];

  get size(): number {
    return this.#owed.length - 1 - this.#free.length;
  }

  /** @returns its number. */
  add(receipt: Receipt): number {
    const number = this.#free.pop();
    if (number === undefined) return this.#owed.push(receipt) - 1;
    this.#owed[number] = receipt;
    return number;
  }

  /** Takes a receipt out: its number is free. */
  take(number: number): Receipt {
    const receipt = this.#owed[number];
    if (receipt === undefined) throw new RangeError(`no receipt ${number} is owed`);
    this.#owed[number] = undefined;
    this.#free.push(number);
    return receipt;
  }

  /** Takes all out. */
  takeAll(): Receipt[] {
    const owed = this.#owed.splice(1).filter((receipt) => receipt !== undefined);
    this.#free.length = 0;
    return owed;
  }
}
