import type { BinaryOperator, Matching } from './expression.ts';
import { labelKey, labelOf, NAME_LABEL, only, without, withoutName, type Labels } from './label-match.ts';
import { mapRow, newRow, vectorOf, type Row, type Steps, type Value } from './matrix.ts';
import { PromqlError } from './promql-error.ts';
import type { QueryBudget } from './query-budget.ts';

const ARITHMETIC: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
  atan2: Math.atan2,
};
const COMPARISONS: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => boolean>>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
};

export interface Operation {
  readonly operator: BinaryOperator;
  readonly bool: boolean;
  readonly matching?: Matching;
}

/** @throws PromqlError for operands that do not go together, and where an element has several partners */
export function operate(operation: Operation, left: Value, right: Value, steps: Steps, budget: QueryBudget): Value {
  const { operator, bool } = operation;
  if (left.type === 'string' || right.type === 'string')
    throw new PromqlError('bad_data', 'binary expression must contain only scalar and instant vector types');
  const isSet = operator === 'and' || operator === 'or' || operator === 'unless';
  if (isSet && (left.type === 'scalar' || right.type === 'scalar'))
    throw new PromqlError('bad_data', `set operator "${operator}" not allowed in binary scalar expression`);
  if (bool && COMPARISONS[operator] === undefined)
    throw new PromqlError('bad_data', 'bool modifier can only be used on comparison operators');
  if (left.type === 'scalar' && right.type === 'scalar') return scalars(operation, left.values, right.values);
  if (left.type === 'vector' && right.type === 'vector')
    return isSet ? sets(operation, left.rows, right.rows, steps) : vectors(operation, left.rows, right.rows, steps, budget);
  const rows = left.type === 'vector' ? left.rows : right.type === 'vector' ? right.rows : [];
  const scalar = left.type === 'scalar' ? left.values : right.type === 'scalar' ? right.values : new Float64Array(steps.count);
  return withScalar(operation, rows, scalar, left.type === 'scalar');
}

/** What is left of an element, or `undefined` where a comparison leaves it out; `kept` is its own value. */
function result({ operator, bool }: Operation, a: number, b: number, kept: number): number | undefined {
  const arithmetic = ARITHMETIC[operator];
  if (arithmetic !== undefined) return arithmetic(a, b);
  const holds = COMPARISONS[operator]!(a, b);
  return bool ? Number(holds) : holds ? kept : undefined;
}

function keepsName({ operator, bool }: Operation): boolean {
  return COMPARISONS[operator] !== undefined && !bool;
}

function scalars(operation: Operation, a: Float64Array, b: Float64Array): Value {
  if (COMPARISONS[operation.operator] !== undefined && !operation.bool)
    throw new PromqlError('bad_data', 'comparisons between scalars must use BOOL modifier');
  return { type: 'scalar', values: a.map((value, i) => result(operation, value, b[i]!, value)!) };
}

function withScalar(operation: Operation, rows: readonly Row[], scalar: Float64Array, scalarIsLeft: boolean): Value {
  return vectorOf(
    rows.map((row) =>
      mapRow(row, keepsName(operation) ? row.labels : withoutName(row.labels), (value, i) =>
        scalarIsLeft ? result(operation, scalar[i]!, value, value) : result(operation, value, scalar[i]!, value),
      ),
    ),
  );
}

/** By what elements of two vectors find each other. */
function signature(matching: Matching | undefined): (labels: Labels) => string {
  if (matching?.on === true) return (labels) => labelKey(only(labels, matching.labels));
  return (labels) => labelKey(without(labels, [...(matching?.labels ?? []), NAME_LABEL]));
}

function bySignature(rows: readonly Row[], matching: Matching | undefined): Map<string, Row[]> {
  const of = signature(matching);
  return Map.groupBy(rows, ({ labels }) => of(labels));
}

/** At which steps any element with the same signature is there. */
function presence(rows: readonly Row[], of: (labels: Labels) => string, steps: Steps): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const { labels, present } of rows) {
    const key = of(labels);
    let there = found.get(key);
    if (there === undefined) found.set(key, (there = new Uint8Array(steps.count)));
    for (let i = 0; i < steps.count; i++) there[i]! |= present[i]!;
  }
  return found;
}

function sets({ operator, matching }: Operation, left: readonly Row[], right: readonly Row[], steps: Steps): Value {
  const of = signature(matching);
  const others = presence(operator === 'or' ? left : right, of, steps);
  const masked = (row: Row, wanted: boolean): Row => {
    const there = others.get(of(row.labels));
    return mapRow(row, row.labels, (value, i) => ((there?.[i] === 1) === wanted ? value : undefined));
  };
  if (operator === 'or') return vectorOf([...left, ...right.map((row) => masked(row, false))]);
  return vectorOf(left.map((row) => masked(row, operator === 'and')));
}

const NOBODY = -1;
const SEVERAL = -2;

/** Which element of a group is there at each step. */
function partnersOf(group: readonly Row[], steps: Steps): Int32Array {
  const partners = new Int32Array(steps.count).fill(NOBODY);
  for (const [index, { present }] of group.entries()) {
    for (let i = 0; i < steps.count; i++) {
      if (present[i] === 1) partners[i] = partners[i] === NOBODY ? index : SEVERAL;
    }
  }
  return partners;
}

function vectors(operation: Operation, left: readonly Row[], right: readonly Row[], steps: Steps, budget: QueryBudget): Value {
  const { matching } = operation;
  const manyIsLeft = matching?.many !== 'right';
  const [many, one] = manyIsLeft ? [left, right] : [right, left];
  const of = signature(matching);
  const groups = new Map(
    [...bySignature(one, matching)].map(([key, rows]) => [
      key,
      { rows, partners: partnersOf(rows, steps), taken: new Uint8Array(steps.count) },
    ]),
  );
  const found: Row[] = [];
  for (const row of many) {
    const group = groups.get(of(row.labels));
    if (group === undefined) continue;
    const { partners, taken } = group;
    const results = new Map<Row, Row>();
    for (let i = 0; i < steps.count; i++) {
      const index = partners[i]!;
      if (row.present[i] === 0 || index === NOBODY) continue;
      if (index === SEVERAL)
        throw new PromqlError(
          'execution',
          'found duplicate series for the match group on the "one" side of the operation: many-to-many matching not allowed: matching labels must be unique on one side',
        );
      const partner = group.rows[index]!;
      const [a, b] = manyIsLeft ? [row.values[i]!, partner.values[i]!] : [partner.values[i]!, row.values[i]!];
      const value = result(operation, a, b, a);
      if (value === undefined) continue;
      if (matching?.many === undefined && taken[i] === 1)
        throw new PromqlError(
          'execution',
          'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
        );
      taken[i] = 1;
      let target = results.get(partner);
      if (target === undefined) {
        // Partners that are there at different times make a series each.
        budget.takeCells(1, steps.count);
        results.set(partner, (target = newRow(resultLabels(operation, row.labels, partner.labels), steps.count)));
      }
      target.values[i] = value;
      target.present[i] = 1;
    }
    found.push(...results.values());
  }
  return vectorOf(found);
}

function resultLabels(operation: Operation, many: Labels, one: Labels): Labels {
  const { matching } = operation;
  const named = keepsName(operation) ? many : withoutName(many);
  if (matching?.many === undefined) {
    if (matching?.on === true)
      return keepsName(operation) ? only(named, [NAME_LABEL, ...matching.labels]) : only(named, matching.labels);
    return matching === undefined ? named : without(named, matching.labels);
  }
  const labels: Record<string, string> = { ...named };
  for (const name of matching.include) {
    const value = labelOf(one, name);
    if (value === '') delete labels[name];
    else labels[name] = value;
  }
  return labels;
}
