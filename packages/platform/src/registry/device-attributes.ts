import { SelsynError } from '../kernel/errors.ts';

export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [name: string]: AttributeValue };

/** What somebody wants to know of a device, as a JSON object: `{"fw": {"version": "2.1"}, "site": "Kiel"}`. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A JSON Merge Patch (RFC 7396): null takes a field away, objects are merged, everything else is replaced. */
export type AttributesPatch = Attributes;

export const MAX_ATTRIBUTES_BYTES = 8 * 1024;
/** Objects and arrays inside each other, the outermost counted. */
export const MAX_ATTRIBUTES_DEPTH = 4;
/** Of a path, `fw.version`; names have no dots, so that each path says one thing. */
export const ATTRIBUTE_NAME = /^[A-Za-z0-9_:$@-]{1,64}$/;

/** @throws SelsynError `request.invalid` */
export function checkAttributes(attributes: unknown): asserts attributes is Attributes {
  if (!isObject(attributes)) throw invalid('attributes are a JSON object');
  checkDepth(attributes, 1);
  if (Buffer.byteLength(JSON.stringify(attributes)) > MAX_ATTRIBUTES_BYTES) {
    throw invalid(`attributes have at most ${MAX_ATTRIBUTES_BYTES} bytes`);
  }
}

/** The attributes with the patch merged in (RFC 7396). Neither is changed. */
export function mergeAttributes(attributes: Attributes, patch: AttributesPatch): Attributes {
  return mergeObjects(attributes, patch, 1);
}

function mergeObjects(target: Attributes, patch: Attributes, depth: number): Attributes {
  const merged = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else if (isObject(value) && depth < MAX_ATTRIBUTES_DEPTH) {
      const before = merged.get(name);
      merged.set(name, mergeObjects(isObject(before) ? before : {}, value, depth + 1));
    } else merged.set(name, value);
  }
  // Not by assignment: `__proto__` would not become a field.
  return Object.fromEntries(merged);
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > MAX_ATTRIBUTES_DEPTH) throw invalid(`attributes are at most ${MAX_ATTRIBUTES_DEPTH} levels deep`);
  if (Array.isArray(value)) {
    for (const item of value) checkValue(item, depth);
  } else {
    for (const [name, item] of Object.entries(value as Attributes)) {
      if (!ATTRIBUTE_NAME.test(name)) throw invalid('the name of an attribute is 1 to 64 of A-Z a-z 0-9 _ : $ @ -');
      checkValue(item, depth);
    }
  }
}

function checkValue(value: unknown, depth: number): void {
  if (value === null) return;
  switch (typeof value) {
    case 'string':
      if (value.includes('\0') || !value.isWellFormed())
        throw invalid('a text in attributes holds characters that cannot be kept');
      return;
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw invalid('attributes hold only finite numbers');
      return;
    case 'object':
      checkDepth(value, depth + 1);
      return;
    default:
      throw invalid('attributes hold only JSON values');
  }
}

export function isObject(value: unknown): value is Attributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'attributes' } });
}
