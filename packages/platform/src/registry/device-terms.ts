import type { Device } from './device.ts';
import { isObject, type AttributeValue } from './device-attributes.ts';
import {
  ALL_DEVICES,
  CONNECTED,
  inGroup,
  keyOf,
  MAX_TERM_TEXT,
  onDay,
  present,
  quantity,
  SEEN,
  several,
  truth,
  underGroup,
  word,
  type Term,
} from './index/term.ts';

/** The field of an attribute, `attributes.fw.version`. */
export function attributeField(path: string): string {
  return `attributes.${path}`;
}

/**
 * Everything by which a device is found, but its id, its name and the moments within a day, which have indexes of their own,
 * and whether it is connected.
 *
 * @param groups the ids of the group and all above it, the root first.
 */
export function termsOf(
  device: Pick<Device, 'type' | 'tags' | 'attributes' | 'createdAtMs'>,
  groups: readonly number[],
): ReadonlyMap<string, Term> {
  const terms = new Map<string, Term>();
  const add = (term: Term): void => void terms.set(keyOf(term), term);
  add(ALL_DEVICES);
  add(onDay('createdDay', device.createdAtMs));
  if (device.type !== undefined) add(word('type', device.type));
  const own = groups.at(-1);
  if (own !== undefined) add(inGroup(own));
  for (const group of groups.slice(1)) add(underGroup(group));
  for (const tag of device.tags) add(word('tag', tag));
  for (const { field, value, inArray } of scalarsOf(device.attributes)) {
    add(present(field));
    if (inArray) add(several(field));
    if (typeof value === 'boolean') add(truth(field, value));
    else if (typeof value === 'number') add(quantity(field, value));
    else if (value.length <= MAX_TERM_TEXT) add(word(field, value));
  }
  return terms;
}

/** By what a device is found that was ever connected. */
export function connectivityTerms(row: { readonly connected: number; readonly last_seen_ms: number }): readonly Term[] {
  return [SEEN, row.connected === 1 ? CONNECTED : onDay('seenDay', Number(row.last_seen_ms))];
}

interface ScalarAttribute {
  readonly field: string;
  readonly value: string | number | boolean;
  readonly inArray: boolean;
}

/** Each value of an array is a value of its path. */
export function* scalarsOf(value: AttributeValue, field = 'attributes', inArray = false): Generator<ScalarAttribute> {
  if (value === null) return;
  if (isObject(value)) {
    for (const [name, item] of Object.entries(value)) yield* scalarsOf(item, `${field}.${name}`, inArray);
  } else if (typeof value === 'object') {
    for (const item of value) yield* scalarsOf(item, field, true);
  } else yield { field, value, inArray };
}
