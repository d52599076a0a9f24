import { isPrefixOnly } from './wildcard.ts';
import type { Filter } from './filter-ast.ts';
import type { ValueRange } from './filter-ranges.ts';

const POSTING = 0;
const POSTINGS = 1;
const ROW = 1;
const RANGE = 2;
const SCAN = 3;

/** The order in which the parts of an `and` are asked: what is cheap makes the candidates fewer for what is not. */
export function costOf(filter: Filter | ValueRange): number {
  switch (filter.kind) {
    case 'and':
      return Math.min(...filter.items.map(costOf));
    case 'or':
      return Math.max(...filter.items.map(costOf));
    case 'not':
      // After what says which there are: then it takes those away, instead of all away from everything.
      return costOf(filter.item) + 0.5;
    case 'value':
      return filter.comparison === '=' ? POSTING : POSTINGS;
    case 'value-like':
    case 'range':
      return POSTINGS;
    case 'text':
      return ROW;
    case 'text-like':
      return isPrefixOnly(filter.pattern) ? RANGE : SCAN;
    case 'name-exists':
      return SCAN;
    case 'time':
      return RANGE;
    default:
      return POSTING;
  }
}
