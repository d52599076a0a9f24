import { BLOCK } from './integer-block.ts';

/*
 * Decimal floats as scaled integers, as in ALP (Afroozeh, Kuffo, Boncz: "ALP: Adaptive Lossless floating-Point
 * Compression", SIGMOD 2023), but with one exponent and a division: for an integer m and 10^e, both exact doubles,
 * m / 10^e is the correctly rounded decimal, which is what a parser of "23.51" gives. What holds at e therefore holds at
 * e + 1 as well (10m / 10^(e+1) is the same quotient), so the exponent of a block only ever rises.
 */

/** 10^0 … 10^12. */
export const POWERS_OF_TEN: readonly number[] = Array.from({ length: 13 }, (_, e) => Number(`1e${e}`));
const MAX_EXPONENT = 12;
/** Adding and taking away 1.5 * 2^52 rounds to the nearest integer below 2^51. */
const ROUND = 1.5 * 2 ** 52;
/** Integers up to here round exactly, and the steps between them fit a zigzag varint. */
const MAX_SCALED = 2 ** 50;
const BITS_PER_DIGIT = 3.33;
const EXCEPTION_BITS = 72;

/** Positions, within the block, of the values that `scaleDecimals` left out; the first `decimalExceptions()` are valid. */
export const exceptionPositions = new Uint8Array(BLOCK);
let exceptionCount = 0;

export function decimalExceptions(): number {
  return exceptionCount;
}

/**
 * Fills `scaled` with integers m, so that m / 10^e is exactly the value, for the cheapest e.
 *
 * The few values for which there is no such m are exceptions: their m is that of a neighbour.
 *
 * @returns e, or -1 when too many values are no decimals.
 */
export function scaleDecimals(values: Float64Array, from: number, count: number, scaled: Float64Array): number {
  const limit = count >>> 4;
  const exponent = scaleAt(values, from, count, scaled, 0, MAX_EXPONENT, limit);
  // One value with many digits must not widen all the others.
  for (let lower = 0; lower < exponent; lower++) {
    const saved = ((exponent - lower) * BITS_PER_DIGIT * count) / EXCEPTION_BITS;
    const allowed = Math.min(limit, Math.floor(saved));
    if (fewFail(values, from, count, lower, allowed)) {
      return scaleAt(values, from, count, scaled, lower, lower, allowed);
    }
  }
  return exponent;
}

function fewFail(values: Float64Array, from: number, count: number, exponent: number, allowed: number): boolean {
  const power = POWERS_OF_TEN[exponent]!;
  let failures = 0;
  for (let i = 0; i < count; i++) {
    const value = values[from + i]!;
    const m = value * power + ROUND - ROUND;
    const exact = m / power === value && Math.abs(m) <= MAX_SCALED && !(m === 0 && Object.is(value, -0));
    if (!exact && ++failures > allowed) return false;
  }
  return true;
}

/** Scales with the first exponent of `lowest`..`highest` that takes all but `limit` values; -1 when there is none. */
function scaleAt(
  values: Float64Array,
  from: number,
  count: number,
  scaled: Float64Array,
  lowest: number,
  highest: number,
  limit: number,
): number {
  let exponent = lowest;
  let power = POWERS_OF_TEN[exponent]!;
  let largest = 0;
  let exceptions = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const value = values[from + i]!;
    let m = value * power + ROUND - ROUND;
    let size = Math.abs(m);
    if (m / power !== value || !(size <= MAX_SCALED) || (m === 0 && Object.is(value, -0))) {
      const needed = exactExponent(value, exponent + 1, highest);
      const factor = needed < 0 ? Infinity : POWERS_OF_TEN[needed - exponent]!;
      if (largest * factor <= MAX_SCALED) {
        for (let j = 0; j < i; j++) scaled[j] = scaled[j]! * factor;
        largest *= factor;
        exponent = needed;
        power = POWERS_OF_TEN[exponent]!;
        m = value * power + ROUND - ROUND;
        size = Math.abs(m);
      } else {
        if (exceptions >= limit) return -1;
        exceptionPositions[exceptions++] = i;
        m = last;
        size = 0;
      }
    }
    largest = size > largest ? size : largest;
    scaled[i] = m;
    last = m;
  }
  exceptionCount = exceptions;
  // Exceptions before the first decimal have no neighbour yet.
  let first = 0;
  while (first < exceptions && exceptionPositions[first] === first) first++;
  for (let i = 0; i < first; i++) scaled[i] = scaled[first]!;
  return exponent;
}

function exactExponent(value: number, lowest: number, highest: number): number {
  if (!(Math.abs(value) <= MAX_SCALED) || value === 0) return -1;
  for (let exponent = lowest; exponent <= highest; exponent++) {
    const power = POWERS_OF_TEN[exponent]!;
    const m = value * power + ROUND - ROUND;
    if (m / power === value && Math.abs(m) <= MAX_SCALED) return exponent;
  }
  return -1;
}
