import type { Attributes } from '../device-attributes.ts';
import { attributeField, scalarsOf } from '../device-terms.ts';
import { naturalKey } from '../index/natural-key.ts';
import { MAX_TERM_TEXT } from '../index/term.ts';
import type { Filter, Scalar, ValueField } from './filter-ast.ts';
import { isLike } from './wildcard.ts';

/** A condition on the values that a device has in a field of its own making. */
export type ValueCondition = Extract<Filter, { kind: 'value' | 'value-like' }> & {
  readonly field: Exclude<ValueField, { kind: 'type' }>;
};

export function isValueCondition(filter: Filter): filter is ValueCondition {
  return (filter.kind === 'value' || filter.kind === 'value-like') && filter.field.kind !== 'type';
}

/** The values of an attribute that are found. */
export function* valuesOfAttribute(attributes: Attributes, path: string): Generator<string | number | boolean> {
  const wanted = attributeField(path);
  for (const { field, value } of scalarsOf(attributes)) {
    if (field === wanted && !(typeof value === 'string' && value.length > MAX_TERM_TEXT)) yield value;
  }
}

/** What the postings say of a device, out of its values themselves: for candidates that are few. */
export function valueHolds(values: Iterable<string | number | boolean>, condition: ValueCondition): boolean {
  for (const value of values) {
    if (
      condition.kind === 'value-like' ? typeof value === 'string' && isLike(value, condition.pattern) : compares(value, condition)
    )
      return true;
  }
  return false;
}

function compares(
  value: string | number | boolean,
  { comparison, literal }: { readonly comparison: string; readonly literal: Scalar },
): boolean {
  switch (literal.kind) {
    case 'truth':
      return value === literal.truth;
    case 'number':
      return typeof value === 'number' && isOrdered(Math.sign(value - literal.number), comparison);
    case 'text':
      if (typeof value !== 'string') return false;
      return comparison === '=' ? value === literal.text : isOrdered(compareNaturally(value, literal.text), comparison);
  }
}

function compareNaturally(a: string, b: string): number {
  return Buffer.compare(Buffer.from(naturalKey(a)), Buffer.from(naturalKey(b)));
}

export function isOrdered(sign: number, comparison: string): boolean {
  switch (comparison) {
    case '<':
      return sign < 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    case '>=':
      return sign >= 0;
    default:
      return sign === 0;
  }
}
