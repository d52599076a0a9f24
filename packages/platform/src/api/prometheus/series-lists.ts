import type { LabelMatcher } from '../../promql/expression.ts';
import { labelKey, labelOf, type Labels } from '../../promql/label-match.ts';
import type { KnownSeries, PrometheusSource } from './prometheus-source.ts';

/** Of names, values, or series. */
const MAX_LISTED = 10_000;

export interface ListRequest {
  /** What any of which holds for is listed; everything where there is none. */
  readonly selectors: readonly (readonly LabelMatcher[])[];
  /** At most so many. */
  readonly limit?: number | undefined;
}

/** A list, and what whoever asked should know of it (`warnings` of the HTTP API of Prometheus). */
export interface Listed<T> {
  readonly data: readonly T[];
  readonly warnings: readonly string[];
}

type Source = Pick<PrometheusSource, 'listed'>;

/** The names of all labels, in order. */
export async function labelNames(source: Source, request: ListRequest): Promise<Listed<string>> {
  const names = new Set<string>();
  const { isWhole } = await visit(source, request, ({ labels }) => {
    for (const name of Object.keys(labels)) names.add(name);
    return false;
  });
  return listed([...names].sort(), request, isWhole);
}

/** The values that a label has, in order. */
export async function labelValues(source: Source, name: string, request: ListRequest): Promise<Listed<string>> {
  const values = new Set<string>();
  const { isWhole } = await visit(source, request, ({ labels }) => {
    const value = labelOf(labels, name);
    if (value !== '') values.add(value);
    return false;
  });
  return listed([...values].sort(), request, isWhole);
}

/** The labels of each series. */
export async function seriesLabels(source: Source, request: ListRequest): Promise<Listed<Labels>> {
  const most = mostOf(request);
  const found = new Map<string, Labels>();
  const { isWhole } = await visit(source, request, ({ labels }) => {
    found.set(labelKey(labels), labels);
    return found.size > most;
  });
  return listed([...found.values()], request, isWhole);
}

/** @param each of every series, of some twice; says whether that is enough */
async function visit(
  source: Source,
  { selectors }: ListRequest,
  each: (series: KnownSeries) => boolean,
): Promise<{ readonly isWhole: boolean }> {
  let isWhole = true;
  for (const matchers of selectors.length === 0 ? [[]] : selectors) {
    for await (const some of source.listed(matchers)) {
      if (some === 'and more') isWhole = false;
      else for (const series of some) if (each(series)) return { isWhole };
    }
  }
  return { isWhole };
}

function mostOf({ limit = MAX_LISTED }: ListRequest): number {
  return Math.min(limit, MAX_LISTED);
}

function listed<T>(all: readonly T[], request: ListRequest, isWhole: boolean): Listed<T> {
  const most = mostOf(request);
  const warnings = isWhole ? [] : ['not all devices were looked at: name a type, a group or devices'];
  // In the words of Prometheus.
  return all.length <= most
    ? { data: all, warnings }
    : { data: all.slice(0, most), warnings: [...warnings, 'results truncated due to limit'] };
}
