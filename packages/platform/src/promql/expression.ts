export type MatchOperator = '=' | '!=' | '=~' | '!~';

export interface LabelMatcher {
  /** `__name__` for that of the metric. */
  readonly label: string;
  readonly operator: MatchOperator;
  readonly value: string;
}

/** When something is looked at: at the time of the step, shifted, or at a time that is the same for all steps. */
export interface Shift {
  readonly offsetMs: number;
  readonly at?: number | 'start' | 'end';
}

export interface VectorSelector extends Shift {
  readonly kind: 'vector';
  readonly matchers: readonly LabelMatcher[];
}

export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly vector: VectorSelector;
  readonly rangeMs: number;
}

export interface Subquery extends Shift {
  readonly kind: 'subquery';
  readonly expression: Expression;
  readonly rangeMs: number;
  /** Absent: the default step. */
  readonly stepMs?: number;
}

/** How the elements of two vectors find each other. */
export interface Matching {
  /** Only `labels` count, or all but these. */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** On this side several elements may match one of the other. */
  readonly many?: 'left' | 'right';
  /** Labels of the "one" side that the result gets. */
  readonly include: readonly string[];
}

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '>'
  | '<'
  | '>='
  | '<='
  | 'and'
  | 'or'
  | 'unless';

export type AggregateOperator =
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'count'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values';

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | VectorSelector
  | MatrixSelector
  | Subquery
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[] }
  | {
      readonly kind: 'aggregate';
      readonly operator: AggregateOperator;
      readonly parameter?: Expression;
      readonly expression: Expression;
      readonly without: boolean;
      readonly labels: readonly string[];
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      /** A comparison that gives 0 or 1 instead of leaving elements out. */
      readonly bool: boolean;
      readonly matching?: Matching;
    }
  | { readonly kind: 'negate'; readonly expression: Expression };
