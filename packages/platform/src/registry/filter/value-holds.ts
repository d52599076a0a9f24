import type { Attributes } from '../device-attributes.ts';
import { attributeField, scalarsOf } from '../device-terms.ts';
import { naturalKey } from '../index/natural-key.ts';
import { MAX_TERM_TEXT } from '../index/term.ts';
import type { Filter, Scalar } from './filter-ast.ts';
import { isLike } from './wildcard.ts';

/** A condition on the values of an attribute. */
export type AttributeCondition = Extract<Filter, { kind: 'value' | 'value-like' }> & {
  readonly field: { readonly kind: 'attribute' };
};

export function isAttributeCondition(filter: Filter): filter is AttributeCondition {
  return (filter.kind === 'value' || filter.kind === 'value-like') && filter.field.kind === 'attribute';
}

/** What the postings say of a device, out of its attributes themselves: for candidates that are few. */
export function valueHolds(attributes: Attributes, condition: AttributeCondition): boolean {
  const wanted = attributeField(condition.field.path);
  for (const { field, value } of scalarsOf(attributes)) {
    if (field !== wanted || (typeof value === 'string' && value.length > MAX_TERM_TEXT)) continue;
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
