/** value = raw * scale + offset; of a number. Absent: 1 and 0. */
export interface Scaling {
  readonly scale?: number | undefined;
  readonly offset?: number | undefined;
}

/** raw * scale + offset. A scale such as 0.01 is a division by 100: 2351 * 0.01 is 23.51, not 23.510000000000002. */
export function scaled(raw: number, { scale = 1, offset = 0 }: Scaling): number {
  if (scale === 1 && offset === 0) return raw;
  const product = times(raw, scale);
  return offset === 0 ? product : Number((product + offset).toPrecision(12));
}

function times(raw: number, scale: number): number {
  if (Number.isInteger(scale)) return raw * scale;
  const inverse = 1 / scale;
  return Number.isInteger(inverse) ? raw / inverse : Number((raw * scale).toPrecision(15));
}
