/** How long the loads of a claim run: `SELSYN_BENCH_SHORT=1` makes them short, to see that a bench works, not to measure. */
export const IS_SHORT: boolean = process.env['SELSYN_BENCH_SHORT'] === '1';

export function seconds(full: number): number {
  return IS_SHORT ? Math.max(1, full / 5) : full;
}

/** A size of the workload. */
export function amount(full: number): number {
  return IS_SHORT ? Math.ceil(full / 20) : full;
}
