import { unitOf } from './unit-table.ts';

export type Conversion = (value: number) => number;

const SAME: Conversion = (value) => value;
/** What is added in binary leaves dirt behind (294.25 K - 273.15 K is 21.100000000000023 °C); no sensor has so many digits. */
const DIGITS_OF_A_SUM = 12;
const DIGITS_OF_A_PRODUCT = 15;

/** How a value in one unit becomes one in another; undefined where there is no way: one is not known, or they measure different things. */
export function conversion(fromName: string, toName: string): Conversion | undefined {
  if (fromName === toName) return SAME;
  const from = unitOf(fromName);
  const to = unitOf(toName);
  if (from === undefined || to === undefined || from.dimension !== to.dimension) return undefined;
  const divisor = commonDivisor(from.times * to.over, from.over * to.times);
  const times = (from.times * to.over) / divisor;
  const over = (from.over * to.times) / divisor;
  const plus = ((from.plus - to.plus) * to.over) / to.times;
  if (plus !== 0) return (value) => rounded((value * times) / over + plus, DIGITS_OF_A_SUM);
  // Both are rounded right by the processor itself.
  if (over === 1) return times === 1 ? SAME : (value) => value * times;
  if (times === 1) return (value) => value / over;
  return (value) => rounded((value * times) / over, DIGITS_OF_A_PRODUCT);
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

function commonDivisor(a: number, b: number): number {
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return 1;
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
