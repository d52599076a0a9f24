import { ATTRIBUTE_NAME, MAX_ATTRIBUTES_DEPTH } from '../device-attributes.ts';
import { TAG_PATTERN } from '../device.ts';
import { isGroupPath } from '../group-path.ts';
import { parseShadowField, SHADOW_FIELDS } from '../shadow-field.ts';
import type { Comparison, Filter, Literal, Scalar, TextColumn, TimeColumn, TimeLiteral, ValueField } from './filter-ast.ts';
import { filterError } from './filter-error.ts';

/** A condition as it was written. */
export interface ConditionParts {
  readonly field: string;
  readonly fieldPosition: number;
  readonly operator: string;
  /** Of the operator. */
  readonly position: number;
  readonly literal?: Literal;
  readonly literalPosition?: number;
}

/** The firmware that a device reports. Until there are releases it says so itself, in an attribute. */
const FIRMWARE: ValueField = { kind: 'attribute', path: 'firmware' };
const ATTRIBUTES = 'attributes.';
const FIELDS =
  'id, name, type, group, tags, connected, lastSeen, createdAt, firmware, attributes.NAME, shadow.reported.NAME, shadow.desired.NAME';

/** What a condition says, checked: that the field can be asked this, and for a value of this kind. */
export function conditionOf(parts: ConditionParts): Filter {
  const { field } = parts;
  switch (field) {
    case 'id':
    case 'name':
      return textCondition(parts, field);
    case 'type':
      return typeCondition(parts);
    case 'group':
      return groupCondition(parts);
    case 'tags':
      return tagCondition(parts);
    case 'connected':
      return connectedCondition(parts);
    case 'lastSeen':
    case 'createdAt':
      return timeCondition(parts, field);
    case 'firmware':
      return valueCondition(parts, FIRMWARE);
    default:
      if (field.startsWith(ATTRIBUTES)) return valueCondition(parts, attributeOf(parts));
      if (field === 'shadow' || field.startsWith(SHADOW_FIELDS)) return valueCondition(parts, shadowFieldOf(parts));
      throw unknownField(parts);
  }
}

function unknownField({ field, fieldPosition }: ConditionParts): Error {
  if (field === 'attributes') return filterError(fieldPosition, 'attributes are asked by name: attributes.NAME');
  if (field === 'tag') return filterError(fieldPosition, 'there is no field tag; write: tags has "NAME"');
  return filterError(fieldPosition, `there is no field ${field.slice(0, 60)}; there are ${FIELDS}`);
}

function attributeOf({ field, fieldPosition }: ConditionParts): ValueField {
  const names = field.slice(ATTRIBUTES.length).split('.');
  if (names.length > MAX_ATTRIBUTES_DEPTH) {
    throw filterError(fieldPosition, `attributes are at most ${MAX_ATTRIBUTES_DEPTH} levels deep`);
  }
  if (!names.every((name) => ATTRIBUTE_NAME.test(name))) {
    throw filterError(fieldPosition, 'the name of an attribute is 1 to 64 of A-Z a-z 0-9 _ : $ @ -');
  }
  return { kind: 'attribute', path: names.join('.') };
}

function shadowFieldOf({ field, fieldPosition }: ConditionParts): ValueField {
  if (parseShadowField(field) !== undefined) return { kind: 'shadow', field };
  throw filterError(
    fieldPosition,
    'a field of a shadow is shadow.reported.NAME or shadow.desired.NAME, of a named shadow shadow.SHADOW.reported.NAME',
  );
}

function textCondition(parts: ConditionParts, column: TextColumn): Filter {
  if (parts.operator === '=') return { kind: 'text', column, text: textOf(parts) };
  if (parts.operator === 'like') return { kind: 'text-like', column, pattern: patternOf(parts) };
  if (parts.operator === 'exists') return column === 'id' ? { kind: 'all' } : { kind: 'name-exists' };
  throw wrongOperator(parts, '= != in like');
}

function typeCondition(parts: ConditionParts): Filter {
  const field: ValueField = { kind: 'type' };
  if (parts.operator === '=') return { kind: 'value', field, comparison: '=', literal: { kind: 'text', text: textOf(parts) } };
  if (parts.operator === 'like') return { kind: 'value-like', field, pattern: patternOf(parts) };
  if (parts.operator === 'exists') return { kind: 'value-exists', field };
  throw wrongOperator(parts, '= != in like exists');
}

function valueCondition(parts: ConditionParts, field: ValueField): Filter {
  switch (parts.operator) {
    case 'like':
      return { kind: 'value-like', field, pattern: patternOf(parts) };
    case 'exists':
      return { kind: 'value-exists', field };
    case '=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { kind: 'value', field, comparison: parts.operator, literal: scalarOf(parts) };
    default:
      throw wrongOperator(parts, '= != < <= > >= in like exists');
  }
}

function groupCondition(parts: ConditionParts): Filter {
  if (parts.operator !== '=' && parts.operator !== 'under') throw wrongOperator(parts, '= != in under');
  const path = textOf(parts);
  if (!isGroupPath(path)) throw filterError(parts.literalPosition ?? parts.position, 'a group is a path as "/acme/building-42"');
  return { kind: 'group', path, below: parts.operator === 'under' };
}

function tagCondition(parts: ConditionParts): Filter {
  if (parts.operator !== 'has') throw wrongOperator(parts, 'has');
  const tag = textOf(parts);
  if (!TAG_PATTERN.test(tag)) {
    throw filterError(parts.literalPosition ?? parts.position, 'a tag is 1 to 64 of A-Z a-z 0-9 : _ . -');
  }
  return { kind: 'tag', tag };
}

function connectedCondition(parts: ConditionParts): Filter {
  if (parts.operator !== '=') throw wrongOperator(parts, '= !=');
  if (parts.literal?.kind !== 'truth') throw wrongLiteral(parts, 'true or false');
  const connected: Filter = { kind: 'connected' };
  return parts.literal.truth ? connected : { kind: 'not', item: connected };
}

function timeCondition(parts: ConditionParts, column: TimeColumn): Filter {
  if (parts.operator === 'exists') return column === 'createdAt' ? { kind: 'all' } : { kind: 'seen' };
  const comparison = parts.operator as Comparison;
  if (comparison !== '<' && comparison !== '<=' && comparison !== '>' && comparison !== '>=') {
    throw wrongOperator(parts, column === 'createdAt' ? '< <= > >=' : '< <= > >= exists');
  }
  return { kind: 'time', column, comparison, literal: timeOf(parts) };
}

function textOf(parts: ConditionParts): string {
  if (parts.literal?.kind === 'text') return parts.literal.text;
  throw wrongLiteral(parts, 'a text in quotes');
}

/** Each `*` may have to be tried at each place of each text. */
const MAX_STARS = 8;

function patternOf(parts: ConditionParts): string {
  const pattern = textOf(parts);
  if (pattern.split('*').length - 1 <= MAX_STARS) return pattern;
  throw filterError(parts.literalPosition ?? parts.position, `a pattern has at most ${MAX_STARS} of *`);
}

function scalarOf(parts: ConditionParts): Scalar {
  const { literal } = parts;
  if (literal?.kind === 'text' || literal?.kind === 'number') return literal;
  if (literal?.kind === 'truth') {
    if (parts.operator === '=') return literal;
    throw filterError(parts.position, `true and false are not more or less than anything: = and != compare them`);
  }
  throw wrongLiteral(parts, 'a text, a number, true or false');
}

const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

function timeOf(parts: ConditionParts): TimeLiteral {
  const { literal } = parts;
  if (literal?.kind === 'ago') return literal;
  if (literal?.kind === 'number') return { kind: 'time', ms: literal.number };
  if (literal?.kind === 'text' && DATE.test(literal.text)) {
    const ms = Date.parse(literal.text);
    if (Number.isFinite(ms)) return { kind: 'time', ms };
  }
  throw wrongLiteral(
    parts,
    'a time ("2026-01-31", "2026-01-31T12:00:00Z", ms since 1970) or how long ago (-15m, -2h, -30d, -4w)',
  );
}

function wrongOperator({ field, operator, position }: ConditionParts, allowed: string): Error {
  return filterError(position, `${field} cannot be compared by ${operator}; there is: ${allowed}`);
}

function wrongLiteral({ field, literalPosition, position }: ConditionParts, wanted: string): Error {
  return filterError(literalPosition ?? position, `${field} is compared with ${wanted}`);
}
