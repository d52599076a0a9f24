const SCALES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/**
 * A float of 32 bits as a number: the decimal with the fewest digits that is the same float (23.51, not 23.510000228881836). It is what
 * its sender meant, and it takes a tenth of the bytes to keep. Whole numbers stay exactly as they are.
 */
export function decimalOf(float: number): number {
  if (Number.isInteger(float) || !Number.isFinite(float)) return float;
  for (const scale of SCALES) {
    const decimal = Math.round(float * scale) / scale;
    if (Math.fround(decimal) === float) return decimal;
  }
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(float.toPrecision(digits));
    if (Math.fround(decimal) === float) return decimal;
  }
  return Number(float.toPrecision(9));
}
