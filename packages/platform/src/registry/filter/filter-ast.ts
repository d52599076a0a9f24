/** A value that is compared with. */
export type Literal =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'truth'; readonly truth: boolean }
  /** So long before the moment at which the filter is asked. */
  | { readonly kind: 'ago'; readonly ms: number }
  | { readonly kind: 'time'; readonly ms: number };

export type Comparison = '=' | '<' | '<=' | '>' | '>=';

/** What devices are found by as a value of its own. */
export type ValueField =
  | { readonly kind: 'type' }
  | { readonly kind: 'attribute'; readonly path: string }
  /** `shadow.reported.mode`; it must have been declared when the filter is asked. */
  | { readonly kind: 'shadow'; readonly field: string };
export type TextColumn = 'id' | 'name';
export type TimeColumn = 'createdAt' | 'lastSeen';

/** A filter, parsed and checked: every comparison is one that the field has. */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Filter[] }
  | { readonly kind: 'not'; readonly item: Filter }
  | { readonly kind: 'value'; readonly field: ValueField; readonly comparison: Comparison; readonly literal: Scalar }
  | { readonly kind: 'value-like'; readonly field: ValueField; readonly pattern: string }
  | { readonly kind: 'value-exists'; readonly field: ValueField }
  | { readonly kind: 'text'; readonly column: TextColumn; readonly text: string }
  | { readonly kind: 'text-like'; readonly column: TextColumn; readonly pattern: string }
  | { readonly kind: 'name-exists' }
  | {
      readonly kind: 'time';
      readonly column: TimeColumn;
      readonly comparison: Exclude<Comparison, '='>;
      readonly literal: TimeLiteral;
    }
  | { readonly kind: 'seen' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'group'; readonly path: string; readonly below: boolean }
  /** Everything, and with `not` nothing. */
  | { readonly kind: 'all' };

export type Scalar = Extract<Literal, { kind: 'text' | 'number' | 'truth' }>;
export type TimeLiteral = Extract<Literal, { kind: 'ago' | 'time' }>;

export function and(items: readonly Filter[]): Filter {
  const [only] = items;
  return items.length === 1 && only !== undefined ? only : { kind: 'and', items };
}

export function or(items: readonly Filter[]): Filter {
  const [only] = items;
  return items.length === 1 && only !== undefined ? only : { kind: 'or', items };
}
