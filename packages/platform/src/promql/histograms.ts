import { labelKey, labelOf, type Labels, NAME_LABEL, without } from './label-match.ts';
import { newRow, type Row, type Steps } from './matrix.ts';

/** The label of a bucket that says up to where it counts. */
const BOUND_LABEL = 'le';

interface Bucket {
  readonly bound: number;
  /** Of all that lies at the bound or below. */
  readonly count: number;
}

/** The values below which a share of what classic histograms have counted lies: `histogram_quantile`. */
export function histogramQuantile(share: Float64Array, rows: readonly Row[], steps: Steps): Row[] {
  const histograms = new Map<
    string,
    { readonly labels: Labels; readonly buckets: { readonly bound: number; readonly row: Row }[] }
  >();
  for (const row of rows) {
    const bound = boundOf(labelOf(row.labels, BOUND_LABEL));
    if (bound === undefined) continue;
    const labels = without(row.labels, [NAME_LABEL, BOUND_LABEL]);
    const key = labelKey(labels);
    const histogram = histograms.get(key);
    if (histogram === undefined) histograms.set(key, { labels, buckets: [{ bound, row }] });
    else histogram.buckets.push({ bound, row });
  }
  return [...histograms.values()].map(({ labels, buckets }) => {
    buckets.sort((a, b) => a.bound - b.bound);
    const result = newRow(labels, steps.count);
    for (let i = 0; i < steps.count; i++) {
      const there = buckets.filter(({ row }) => row.present[i] === 1);
      if (there.length === 0) continue;
      result.present[i] = 1;
      result.values[i] = quantileOfBuckets(
        share[i]!,
        there.map(({ bound, row }) => ({ bound, count: row.values[i]! })),
      );
    }
    return result;
  });
}

/** @param buckets ascending by their bounds; they are cumulative */
function quantileOfBuckets(share: number, buckets: readonly Bucket[]): number {
  if (Number.isNaN(share)) return NaN;
  if (share < 0) return -Infinity;
  if (share > 1) return Infinity;
  const cumulative = growing(buckets);
  const last = cumulative.at(-1)!;
  if (last.bound !== Infinity || cumulative.length < 2 || !(last.count > 0)) return NaN;
  const rank = share * last.count;
  const index = cumulative.findIndex(({ count }, i) => i === cumulative.length - 1 || count >= rank);
  if (index === cumulative.length - 1) return cumulative[index - 1]!.bound;
  const { bound, count } = cumulative[index]!;
  if (index === 0 && bound <= 0) return bound;
  const below = cumulative[index - 1] ?? { bound: 0, count: 0 };
  return below.bound + (bound - below.bound) * ((rank - below.count) / (count - below.count));
}

/** Buckets of one bound are one; where counts were read at different times, a wider bucket has at least what a narrower one has. */
function growing(buckets: readonly Bucket[]): Bucket[] {
  const found: Bucket[] = [];
  for (const { bound, count } of buckets) {
    const last = found.at(-1);
    if (last?.bound === bound) found[found.length - 1] = { bound, count: last.count + count };
    else found.push({ bound, count });
  }
  let most = -Infinity;
  return found.map(({ bound, count }) => ({ bound, count: (most = Math.max(most, count)) }));
}

/** As Go writes floats. */
function boundOf(text: string): number | undefined {
  if (/^\+?Inf$/i.test(text)) return Infinity;
  const bound = text.trim() === '' ? NaN : Number(text);
  return Number.isNaN(bound) ? undefined : bound;
}
