/** What stands in a name that is probably not the name of a quantity. */
export type VariablePart = 'uuid' | 'time' | 'address' | 'hex' | 'number';

export interface MetricPattern {
  /** The name with its variable parts replaced: `door_{uuid}`, `cell_{number}`. */
  readonly pattern: string;
  /** The most telling of them; undefined: the name has none. */
  readonly kind: VariablePart | undefined;
}

/** The most telling first: what one has replaced the next does not see. */
const PARTS: readonly (readonly [VariablePart, RegExp])[] = [
  ['uuid', /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi],
  // ISO 8601, and seconds or milliseconds since 1970 from 2014 to 2033.
  ['time', /\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?/g],
  ['time', /(?<!\d)(?:1[4-9]|20)\d{8}(?:\d{3})?(?!\d)/g],
  ['time', /(?<!\d)20\d{6}(?:[T_-]?\d{4,6})?(?!\d)/g],
  ['address', /(?<![0-9a-f])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![0-9a-f])/gi],
  ['address', /(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)/g],
  ['hex', /(?<![0-9a-z])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}(?![0-9a-z])/gi],
  ['number', /\d+/g],
];

/** What a name looks like, by which names that are made of ids or times are found together. */
export function patternOf(name: string): MetricPattern {
  let pattern = name;
  let found: VariablePart | undefined;
  for (const [kind, expression] of PARTS) {
    const replaced = pattern.replace(expression, `{${kind}}`);
    if (replaced !== pattern) found ??= kind;
    pattern = replaced;
  }
  return { pattern, kind: found };
}
