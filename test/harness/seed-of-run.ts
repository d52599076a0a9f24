import { randomInt } from 'node:crypto';

/** The same choices in every run of the tests: what a change is judged by is what it changed. */
const FIXED_SEED = 1;
const END = 2 ** 31;

/**
 * The seed of all that a run of the tests chooses at random, out of SELSYN_SEED: without it a fixed one; `random` for one that is drawn,
 * to hunt for what the fixed one does not reach; a number (32 bits, signed) to repeat a run.
 *
 * @throws RangeError of anything else.
 */
export function seedOfRun(given: string | undefined): number {
  if (given === undefined || given === '') return FIXED_SEED;
  if (given === 'random') return randomInt(END);
  const seed = Number(given);
  if (!Number.isInteger(seed) || seed < -END || seed >= END) throw new RangeError(`SELSYN_SEED=${given} is no seed`);
  return seed;
}
