import type { Connectivity } from '../connectivity-store.ts';
import type { Device } from '../device.ts';
import { isObject, type AttributeValue } from '../device-attributes.ts';
import { compareBytes, naturalKey } from '../index/natural-key.ts';
import type { Filter, Scalar, ValueField } from './filter-ast.ts';

/** What a filter says of one device, as the guide tells it: the other opinion in the differential test. */
export function holdsFor(
  filter: Filter,
  device: Device,
  seen: Connectivity | undefined,
  nowMs: number,
  shadows: Shadows = {},
): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.items.every((item) => holdsFor(item, device, seen, nowMs, shadows));
    case 'or':
      return filter.items.some((item) => holdsFor(item, device, seen, nowMs, shadows));
    case 'not':
      return !holdsFor(filter.item, device, seen, nowMs, shadows);
    case 'all':
      return true;
    case 'value':
      return valuesOf(device, filter.field, shadows).some((value) => compares(value, filter.comparison, filter.literal));
    case 'value-like':
      return valuesOf(device, filter.field, shadows).some((value) => isFindable(value) && like(value, filter.pattern));
    case 'value-exists':
      return valuesOf(device, filter.field, shadows).length > 0;
    case 'text':
      return device[filter.column] === filter.text;
    case 'text-like':
      return device[filter.column] !== undefined && like(device[filter.column]!, filter.pattern);
    case 'name-exists':
      return device.name !== undefined;
    case 'tag':
      return device.tags.includes(filter.tag);
    case 'connected':
      return seen?.connected === true;
    case 'seen':
      return seen !== undefined;
    case 'group':
      return (
        device.group === filter.path || (filter.below && `${device.group}/`.startsWith(`${filter.path}/`.replace('//', '/')))
      );
    case 'time': {
      const lastSeen = seen?.connected === true ? nowMs : seen?.lastSeenMs;
      const time = filter.column === 'createdAt' ? device.createdAtMs : lastSeen;
      const limit = filter.literal.kind === 'ago' ? nowMs - filter.literal.ms : filter.literal.ms;
      return time !== undefined && ordered(Math.sign(time - limit), filter.comparison);
    }
  }
}

/** Sections by `reported`, `NAME.desired`. */
export type Shadows = Readonly<Record<string, AttributeValue>>;

function valuesOf(device: Device, field: ValueField, shadows: Shadows): readonly (string | number | boolean)[] {
  if (field.kind === 'type') return device.type === undefined ? [] : [device.type];
  if (field.kind === 'attribute') return valuesAtPath(device.attributes, field.path.split('.'));
  const names = field.field.split('.').slice(1);
  const section = names.slice(0, names[0] === 'desired' || names[0] === 'reported' ? 1 : 2);
  return valuesAtPath(shadows[section.join('.')] ?? {}, names.slice(section.length));
}

function valuesAtPath(root: AttributeValue, path: readonly string[]): readonly (string | number | boolean)[] {
  let values: readonly AttributeValue[] = [root];
  for (const name of path) {
    values = values.flatMap(elements).flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]!] : []));
  }
  return values.flatMap(scalars);
}

/** Of an array its items, however deep; of everything else itself. */
function elements(value: AttributeValue): readonly AttributeValue[] {
  return Array.isArray(value) ? (value as readonly AttributeValue[]).flatMap(elements) : [value];
}

function scalars(value: AttributeValue | undefined): readonly (string | number | boolean)[] {
  if (value === undefined || value === null || isObject(value)) return [];
  if (typeof value === 'object') return value.flatMap(scalars);
  return [value];
}

function compares(value: string | number | boolean, comparison: string, literal: Scalar): boolean {
  if (literal.kind === 'truth') return value === literal.truth;
  if (literal.kind === 'number') return typeof value === 'number' && ordered(Math.sign(value - literal.number), comparison);
  if (!isFindable(value)) return false;
  if (comparison === '=') return value === literal.text;
  return ordered(compareBytes(naturalKey(value), naturalKey(literal.text)), comparison);
}

/** Longer texts are not found. */
function isFindable(value: string | number | boolean): value is string {
  return typeof value === 'string' && value.length <= 256;
}

function ordered(sign: number, comparison: string): boolean {
  switch (comparison) {
    case '=':
      return sign === 0;
    case '<':
      return sign < 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    default:
      return sign >= 0;
  }
}

/** By a regular expression: short texts only. */
function like(text: string, pattern: string): boolean {
  const source = Array.from(pattern, (character) =>
    character === '*' ? '[^]*' : character === '?' ? '[^]' : character.replace(/[\\^$.|+()[\]{}/]/g, '\\$&'),
  ).join('');
  return new RegExp(`^${source}$`, 'u').test(text);
}
