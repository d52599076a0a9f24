import { MAX_TERM_TEXT, present, quantity, several, truth, word, type Term } from './index/term.ts';

/*
 * What a device has in a field of a shadow, as text:
 *
 *   [0,"auto"]          a value
 *   [1,"a",2,true]      several: an array, or what stands in objects of an array
 *   [0,null]            a text that is there but is not found: too long, or with characters that no filter has
 *
 * No values: null, no text.
 */

/** The values at a path, as attributes have them: each value of an array is a value of its path. */
export function valuesAt(section: unknown, path: readonly string[]): string | null {
  // Most values are scalars in objects.
  let at = section;
  for (const name of path) {
    if (!isRecord(at)) return Array.isArray(at) ? gathered(section, path) : null;
    at = Object.hasOwn(at, name) ? at[name] : undefined;
  }
  if (Array.isArray(at)) return gathered(section, path);
  return isScalar(at) ? encode(false, [at]) : null;
}

/** By what a device is found that has these values. */
export function termsOfValues(fieldId: number, text: string | null): readonly Term[] {
  if (text === null) return [];
  const field = shadowTermField(fieldId);
  const { isSeveral, values } = decode(text);
  const terms: Term[] = [present(field)];
  if (isSeveral) terms.push(several(field));
  for (const value of values) {
    if (typeof value === 'string') terms.push(word(field, value));
    else if (typeof value === 'number') terms.push(quantity(field, value));
    else if (typeof value === 'boolean') terms.push(truth(field, value));
  }
  return terms;
}

/** The field of terms of a declared field. */
export function shadowTermField(fieldId: number): string {
  return `shadow:${fieldId}`;
}

/** Those that are found. */
export function findableValues(text: string): readonly (string | number | boolean)[] {
  return decode(text).values.filter((value) => value !== null);
}

type Scalar = string | number | boolean;

function gathered(section: unknown, path: readonly string[]): string | null {
  const values: Scalar[] = [];
  let isSeveral = false;
  const walk = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      isSeveral = true;
      for (const item of value as readonly unknown[]) walk(item, depth);
    } else if (depth === path.length) {
      if (isScalar(value)) values.push(value);
    } else if (isRecord(value)) {
      const name = path[depth] as string;
      if (Object.hasOwn(value, name)) walk(value[name], depth + 1);
    }
  };
  walk(section, 0);
  return values.length === 0 ? null : encode(isSeveral, values);
}

function encode(isSeveral: boolean, values: readonly Scalar[]): string {
  return JSON.stringify([isSeveral ? 1 : 0, ...new Set(values.map((value) => (isFindable(value) ? value : null)))]);
}

function decode(text: string): { readonly isSeveral: boolean; readonly values: readonly (Scalar | null)[] } {
  const [isSeveral, ...values] = JSON.parse(text) as readonly [number, ...(Scalar | null)[]];
  return { isSeveral: isSeveral === 1, values };
}

function isFindable(value: Scalar): boolean {
  return typeof value !== 'string' || (value.length <= MAX_TERM_TEXT && !value.includes('\0') && value.isWellFormed());
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
