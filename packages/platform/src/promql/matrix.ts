import { labelKey, type Labels } from './label-match.ts';
import { PromqlError } from './promql-error.ts';

/** The times at which a query is evaluated: `startMs + i * stepMs`, `count` of them. */
export interface Steps {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** An element of a vector at every step: `values[i]` counts where `present[i]` is 1. */
export interface Row {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** Points of one series, ascending. */
export interface Samples {
  readonly labels: Labels;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/** What an expression gives at all steps. */
export type Value =
  | { readonly type: 'scalar'; readonly values: Float64Array }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'vector'; readonly rows: readonly Row[] };

export function stepTime(steps: Steps, index: number): number {
  return steps.startMs + index * steps.stepMs;
}

export function newRow(labels: Labels, count: number): Row {
  return { labels, values: new Float64Array(count), present: new Uint8Array(count) };
}

/** @param change gives the new value, or `undefined` where the element leaves */
export function mapRow(row: Row, labels: Labels, change: (value: number, step: number) => number | undefined): Row {
  const mapped = newRow(labels, row.values.length);
  for (let i = 0; i < row.values.length; i++) {
    if (row.present[i] === 0) continue;
    const value = change(row.values[i]!, i);
    if (value === undefined) continue;
    mapped.values[i] = value;
    mapped.present[i] = 1;
  }
  return mapped;
}

/** Rows that have an element at any step; rows of equal labels become one. @throws PromqlError `execution` where two are there at one step */
export function vectorOf(rows: readonly Row[]): Value {
  const byLabels = new Map<string, Row>();
  for (const row of rows) {
    if (!row.present.includes(1)) continue;
    const key = labelKey(row.labels);
    const known = byLabels.get(key);
    byLabels.set(key, known === undefined ? row : joined(known, row));
  }
  return { type: 'vector', rows: [...byLabels.values()] };
}

function joined(a: Row, b: Row): Row {
  const row = newRow(a.labels, a.values.length);
  for (let i = 0; i < row.values.length; i++) {
    if (a.present[i] === 1 && b.present[i] === 1)
      throw new PromqlError('execution', 'vector cannot contain metrics with the same labelset');
    row.present[i] = a.present[i]! | b.present[i]!;
    row.values[i] = a.present[i] === 1 ? a.values[i]! : b.values[i]!;
  }
  return row;
}
