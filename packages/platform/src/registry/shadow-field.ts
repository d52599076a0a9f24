import { ATTRIBUTE_NAME } from './device-attributes.ts';
import { SHADOW_NAME_PATTERN } from './device-type.ts';

/** A field of a shadow, as the filter language names it: `shadow.reported.mode`, `shadow.NAME.desired.fan.speed`. */
export interface ShadowField {
  /** As it is written. */
  readonly field: string;
  /** '' is the classic shadow. */
  readonly shadow: string;
  readonly section: 'desired' | 'reported';
  readonly path: readonly string[];
}

export const SHADOW_FIELDS = 'shadow.';
export const MAX_SHADOW_FIELDS = 32;
export const MAX_SHADOW_FIELD_LENGTH = 256;
const MAX_DEPTH = 8;

/**
 * Undefined: it names none. After `shadow.` stands `desired` or `reported` for the classic shadow, so that a shadow that has one of these
 * names cannot be named.
 */
export function parseShadowField(field: string): ShadowField | undefined {
  if (!field.startsWith(SHADOW_FIELDS) || field.length > MAX_SHADOW_FIELD_LENGTH) return undefined;
  const [first = '', ...rest] = field.slice(SHADOW_FIELDS.length).split('.');
  if (isSection(first)) return fieldOf(field, '', first, rest);
  const [section = '', ...path] = rest;
  return SHADOW_NAME_PATTERN.test(first) && isSection(section) ? fieldOf(field, first, section, path) : undefined;
}

function fieldOf(
  field: string,
  shadow: string,
  section: ShadowField['section'],
  path: readonly string[],
): ShadowField | undefined {
  const isPath = path.length > 0 && path.length <= MAX_DEPTH && path.every((name) => ATTRIBUTE_NAME.test(name));
  return isPath ? { field, shadow, section, path } : undefined;
}

function isSection(text: string): text is ShadowField['section'] {
  return text === 'desired' || text === 'reported';
}
