import type { Comparison, Filter, Scalar, ValueField } from './filter-ast.ts';

type Bound = Extract<Filter, { kind: 'value' }> & { readonly literal: Exclude<Scalar, { kind: 'truth' }> };

/** Comparisons of one attribute, or field of a shadow, with values of one kind that stand in one `and`: `power >= 100 and power < 200`. */
export interface ValueRange {
  readonly kind: 'range';
  readonly field: ValueField;
  readonly literalKind: 'text' | 'number';
  readonly bounds: readonly Bound[];
}

const ORDERING: ReadonlySet<Comparison> = new Set(['<', '<=', '>', '>=']);

/**
 * Puts together what can be asked at once: of the values between, not of all below and all above. Only where each device has one
 * value: of several, one may be below and another one above.
 */
export function gatherRanges(items: readonly Filter[]): readonly (Filter | ValueRange)[] {
  const ranges = new Map<string, Bound[]>();
  const others: Filter[] = [];
  for (const item of items) {
    if (!isBound(item)) {
      others.push(item);
      continue;
    }
    const key = `${item.literal.kind} ${nameOf(item.field)}`;
    const range = ranges.get(key);
    if (range === undefined) ranges.set(key, [item]);
    else range.push(item);
  }
  const gathered = [...ranges.values()].map((bounds): Filter | ValueRange => {
    const [first] = bounds;
    if (first === undefined || bounds.length === 1) return first ?? { kind: 'all' };
    return { kind: 'range', field: first.field, literalKind: first.literal.kind, bounds };
  });
  return [...others, ...gathered];
}

function isBound(item: Filter): item is Bound {
  return item.kind === 'value' && item.field.kind !== 'type' && ORDERING.has(item.comparison) && item.literal.kind !== 'truth';
}

function nameOf(field: ValueField): string {
  switch (field.kind) {
    case 'type':
      return field.kind;
    case 'attribute':
      return `attributes.${field.path}`;
    case 'shadow':
      return field.field;
  }
}
