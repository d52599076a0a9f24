/**
 * How long the loads of a claim run: `--quick` (or `SELSYN_BENCH_SHORT=1`) makes them short, to see that a bench works, not to
 * measure: nothing is written to bench/results.
 */
export const IS_SHORT: boolean = process.env['SELSYN_BENCH_SHORT'] === '1' || process.argv.includes('--quick');

const ONLY = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);

/** Whether a part of a claim is to be run: all of them, or those of `--only=a,b`. */
export function isWanted(part: string): boolean {
  return ONLY === undefined || ONLY.split(',').includes(part);
}

/** Whether everything is measured in full: what bench/results is for. */
export function isRecorded(): boolean {
  return !IS_SHORT && ONLY === undefined;
}

export function seconds(full: number): number {
  return IS_SHORT ? Math.max(1, full / 5) : full;
}

/** A size of the workload. */
export function amount(full: number): number {
  return IS_SHORT ? Math.ceil(full / 20) : full;
}
