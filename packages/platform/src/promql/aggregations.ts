import type { AggregateOperator } from './expression.ts';
import { labelKey, NAME_LABEL, only, without, type Labels } from './label-match.ts';
import { newRow, vectorOf, type Row, type Steps, type Value } from './matrix.ts';
import { PromqlError } from './promql-error.ts';
import type { QueryBudget } from './query-budget.ts';
import { quantileOf } from './range-functions.ts';

export interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

/** Folds the elements of each group at each step. `parameter`: a scalar of `topk`, `bottomk` and `quantile`, a label of `count_values`. */
export function aggregate(
  operator: AggregateOperator,
  rows: readonly Row[],
  grouping: Grouping,
  parameter: Value | undefined,
  steps: Steps,
  budget: QueryBudget,
): Value {
  const groups = new Map<string, { readonly labels: Labels; readonly rows: Row[] }>();
  for (const row of rows) {
    const labels = grouping.without ? without(row.labels, [...grouping.labels, NAME_LABEL]) : only(row.labels, grouping.labels);
    const key = labelKey(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, rows: [row] });
    else group.rows.push(row);
  }
  if (operator === 'topk' || operator === 'bottomk')
    return vectorOf([...groups.values()].flatMap((group) => ranked(operator, group.rows, scalarOf(operator, parameter), steps)));
  if (operator === 'count_values')
    return vectorOf(
      [...groups.values()].flatMap(({ labels, rows: members }) => counted(labels, members, parameter, steps, budget)),
    );
  const share = operator === 'quantile' ? scalarOf(operator, parameter) : undefined;
  return vectorOf([...groups.values()].map(({ labels, rows: members }) => folded(operator, labels, members, share, steps)));
}

function folded(
  operator: AggregateOperator,
  labels: Labels,
  rows: readonly Row[],
  share: Float64Array | undefined,
  steps: Steps,
): Row {
  const result = newRow(labels, steps.count);
  const values: number[] = [];
  for (let i = 0; i < steps.count; i++) {
    values.length = 0;
    for (const row of rows) if (row.present[i] === 1) values.push(row.values[i]!);
    if (values.length === 0) continue;
    result.present[i] = 1;
    result.values[i] = share === undefined ? fold(operator, values) : quantileOf(share[i]!, Float64Array.from(values));
  }
  return result;
}

function fold(operator: AggregateOperator, values: readonly number[]): number {
  switch (operator) {
    case 'sum':
      return sum(values);
    case 'avg':
      return sum(values) / values.length;
    case 'min':
      return values.reduce((best, value) => (value < best || Number.isNaN(best) ? value : best));
    case 'max':
      return values.reduce((best, value) => (value > best || Number.isNaN(best) ? value : best));
    case 'count':
      return values.length;
    case 'stddev':
      return Math.sqrt(variance(values));
    case 'stdvar':
      return variance(values);
    default:
      return 1;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function variance(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return sum(values.map((value) => (value - mean) ** 2)) / values.length;
}

/** The elements with the greatest or least values, with their own labels. */
function ranked(operator: 'topk' | 'bottomk', rows: readonly Row[], wanted: Float64Array, steps: Steps): Row[] {
  const kept = rows.map((row) => ({ ...row, present: new Uint8Array(steps.count) }));
  for (let i = 0; i < steps.count; i++) {
    const count = Math.trunc(wanted[i]!);
    if (!(count >= 1)) continue;
    const there = [...rows.keys()].filter((index) => rows[index]!.present[i] === 1);
    const value = (index: number): number => rows[index]!.values[i]!;
    there.sort((a, b) =>
      Number.isNaN(value(a)) ? 1 : Number.isNaN(value(b)) ? -1 : operator === 'topk' ? value(b) - value(a) : value(a) - value(b),
    );
    for (const index of there.slice(0, count)) kept[index]!.present[i] = 1;
  }
  // At one step the order of an answer says which is first.
  if (steps.count === 1 && operator === 'topk') kept.sort((a, b) => b.values[0]! - a.values[0]!);
  if (steps.count === 1 && operator === 'bottomk') kept.sort((a, b) => a.values[0]! - b.values[0]!);
  return kept;
}

function counted(labels: Labels, rows: readonly Row[], parameter: Value | undefined, steps: Steps, budget: QueryBudget): Row[] {
  if (parameter?.type !== 'string')
    throw new PromqlError('bad_data', 'expected type string in aggregation parameter of count_values');
  const found = new Map<string, Row>();
  for (let i = 0; i < steps.count; i++) {
    for (const row of rows) {
      if (row.present[i] === 0) continue;
      const text = String(row.values[i]!);
      let counts = found.get(text);
      if (counts === undefined) {
        // Each value is a series: of few there may come many.
        budget.takeCells(1, steps.count);
        found.set(text, (counts = newRow({ ...labels, [parameter.value]: text }, steps.count)));
      }
      counts.values[i]! += 1;
      counts.present[i] = 1;
    }
  }
  return [...found.values()];
}

function scalarOf(operator: string, parameter: Value | undefined): Float64Array {
  if (parameter?.type === 'scalar') return parameter.values;
  throw new PromqlError('bad_data', `expected type scalar in aggregation parameter of ${operator}`);
}
