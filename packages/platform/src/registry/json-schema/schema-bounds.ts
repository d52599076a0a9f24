import { SelsynError } from '../../kernel/errors.ts';
import { isObject } from '../device-attributes.ts';

export const MAX_SCHEMA_LENGTH = 32_768;
const MAX_DEPTH = 32;
/** Of the schema with every reference written out: what one value is held against at the most. */
const MAX_PARTS = 2_000;
/** Each item is compared with each. */
const MAX_UNIQUE_ITEMS = 256;

export const DIALECTS = {
  'https://json-schema.org/draft/2020-12/schema': '2020-12',
  'http://json-schema.org/draft-07/schema': '7',
} as const;
export type Dialect = (typeof DIALECTS)[keyof typeof DIALECTS];

/** How a keyword holds schemas: one, a list, one by each name, or one or a list; `plain` holds none. */
type Holding = 'plain' | 'one' | 'list' | 'named' | 'one-or-list' | 'named-or-names';

/** All that is taken. What is not here is a mistyped word, or leads out of the schema. */
const KEYWORDS: ReadonlyMap<string, Holding> = new Map<string, Holding>([
  ...each(
    'plain',
    '$schema $comment $ref title description default examples deprecated readOnly writeOnly type enum const format',
  ),
  ...each('plain', 'multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength pattern minItems maxItems'),
  ...each('plain', 'uniqueItems minContains maxContains required minProperties maxProperties dependentRequired'),
  ...each(
    'one',
    'additionalItems contains additionalProperties propertyNames unevaluatedItems unevaluatedProperties not if then else',
  ),
  ...each('list', 'prefixItems allOf anyOf oneOf'),
  ...each('named', '$defs definitions properties patternProperties dependentSchemas'),
  ...each('one-or-list', 'items'),
  ...each('named-or-names', 'dependencies'),
]);

function each(holding: Holding, keywords: string): readonly (readonly [string, Holding])[] {
  return keywords.split(' ').map((keyword) => [keyword, holding]);
}

/** Of the schemas that `$ref` may name. */
const REFERENCE = /^#\/(\$defs|definitions)\/([A-Za-z0-9_.-]{1,64})$/;

/**
 * Refuses what would make a check long or lead out of the schema: it is one of bounded size, without recursion, whose references are its
 * own. Whether its keywords have values that they may have is for the compiler.
 *
 * @throws SelsynError `request.invalid`
 */
export function checkSchemaBounds(schema: unknown): Dialect {
  if (!isObject(schema)) throw invalid('a schema is a JSON object');
  const text = JSON.stringify(schema);
  if (text.length > MAX_SCHEMA_LENGTH)
    throw invalid(`a schema has at most ${MAX_SCHEMA_LENGTH} characters, and this ${text.length}`);
  new PartCount(schema).count(schema, 0);
  return dialectOf(schema);
}

function dialectOf(schema: Readonly<Record<string, unknown>>): Dialect {
  const { $schema = 'https://json-schema.org/draft/2020-12/schema' } = schema;
  const uri = typeof $schema === 'string' ? $schema.replace(/#$/, '') : '';
  if (Object.hasOwn(DIALECTS, uri)) return DIALECTS[uri as keyof typeof DIALECTS];
  throw invalid(`"$schema" is one of ${Object.keys(DIALECTS).join(', ')}; absent: the first`);
}

class PartCount {
  readonly #root: Readonly<Record<string, unknown>>;
  readonly #counted = new Map<string, number>();
  readonly #counting = new Set<string>();

  constructor(root: Readonly<Record<string, unknown>>) {
    this.#root = root;
  }

  /** Of a schema with its references written out. */
  count(schema: unknown, depth: number): number {
    if (typeof schema === 'boolean') return 1;
    if (!isObject(schema)) throw invalid('where a schema is expected there is neither an object nor true or false');
    if (depth > MAX_DEPTH) throw invalid(`the schema is nested deeper than ${MAX_DEPTH}`);
    if (depth > 0 && '$schema' in schema) throw invalid('"$schema" stands at the top only');
    let parts = 1;
    for (const [keyword, value] of Object.entries(schema)) {
      const holding = KEYWORDS.get(keyword);
      if (holding === undefined)
        throw invalid(`there is no keyword ${JSON.stringify(keyword.slice(0, 64))}, or it is not taken here`);
      // What is only defined costs where it is referred to, and is looked at there too.
      const counted = subschemasOf(value, holding).reduce<number>((sum, held) => sum + this.count(held, depth + 1), 0);
      if (keyword !== '$defs' && keyword !== 'definitions') parts += counted;
      if (keyword === '$ref') parts += this.#referred(value, depth);
      if (parts > MAX_PARTS)
        throw invalid(`the schema has more than ${MAX_PARTS} parts, each counted as often as it is referred to`);
    }
    checkUniqueItems(schema);
    return parts;
  }

  #referred(reference: unknown, depth: number): number {
    const found = typeof reference === 'string' ? REFERENCE.exec(reference) : null;
    const [, place = '', name = ''] = found ?? [];
    const definitions = this.#root[place];
    if (found === null || typeof reference !== 'string' || !isObject(definitions) || !Object.hasOwn(definitions, name)) {
      throw invalid('"$ref" names a schema of this one, as "#/$defs/name", that is there');
    }
    if (this.#counting.has(reference)) throw invalid(`${reference} refers to itself: a shadow is not deep enough for that`);
    const known = this.#counted.get(reference);
    if (known !== undefined) return known;
    this.#counting.add(reference);
    const parts = this.count(definitions[name], depth + 1);
    this.#counting.delete(reference);
    this.#counted.set(reference, parts);
    return parts;
  }
}

function subschemasOf(value: unknown, holding: Holding): readonly unknown[] {
  switch (holding) {
    case 'plain':
      return [];
    case 'one':
      return [value];
    case 'list':
      return Array.isArray(value) ? value : [value];
    case 'one-or-list':
      return Array.isArray(value) ? value : [value];
    case 'named':
      return isObject(value) ? Object.values(value) : [value];
    case 'named-or-names':
      return isObject(value) ? Object.values(value).filter((held) => !Array.isArray(held)) : [value];
  }
}

function checkUniqueItems({ uniqueItems, maxItems }: Readonly<Record<string, unknown>>): void {
  if (uniqueItems !== true || (typeof maxItems === 'number' && maxItems <= MAX_UNIQUE_ITEMS)) return;
  throw invalid(`"uniqueItems" needs a "maxItems" of at most ${MAX_UNIQUE_ITEMS} beside it`);
}

/** The same schema for a value of which parts are not there yet: nothing is required. */
export function withoutRequired(schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => !OF_WHOLE_VALUES.has(keyword))
      .map(([keyword, value]) => [keyword, withinKeyword(value, KEYWORDS.get(keyword) ?? 'plain')]),
  );
}

/** With these a part of a value may not fit although the whole does. */
const OF_WHOLE_VALUES: ReadonlySet<string> = new Set([
  'required',
  'minProperties',
  'dependentRequired',
  'dependentSchemas',
  'dependencies',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
]);

function withinKeyword(value: unknown, holding: Holding): unknown {
  if (holding === 'plain') return value;
  if (Array.isArray(value)) return value.map(withoutRequired);
  if (holding === 'named' && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, withoutRequired(held)]));
  return withoutRequired(value);
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message);
}
