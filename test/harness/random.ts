import { seedOfRun } from './seed-of-run.ts';

/** Random choices that repeat: the same ones for the same seed (mulberry32). */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** The choices of a test, by the seed of the run; it is printed. */
  static ofRun(test: string): Random {
    const random = new Random(seedOfRun(process.env['SELSYN_SEED']));
    process.stderr.write(`${test}: SELSYN_SEED=${random.seed} repeats its choices\n`);
    return random;
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.u32() % n === 0;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }
}
