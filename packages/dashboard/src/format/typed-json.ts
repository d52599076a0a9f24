import { isJson, type Json } from '../api/json.ts';

/** What somebody typed, or what is wrong with it. */
export type Typed<T> = { readonly value: T } | { readonly fault: string };

/** One value: JSON where it is some, else the text itself, so that nobody needs to quote `eco`. */
export function typedValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/** What to put into a field so that `typedValue` reads the value from it. */
export function textOfValue(value: unknown): string {
  return typeof value === 'string' && typedValue(value) === value ? value : JSON.stringify(value);
}

/** Any JSON; nothing at all is undefined. */
export function typedJson(text: string): Typed<unknown> {
  if (text.trim() === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/** A JSON object; nothing at all is an empty one. */
export function typedObject(text: string): Typed<Json> {
  const typed = typedJson(text);
  if ('fault' in typed) return typed;
  if (typed.value === undefined) return { value: {} };
  return isJson(typed.value) ? { value: typed.value } : { fault: 'It must be a JSON object, as {"mode": "eco"}.' };
}

/** As an editor shows it. */
export function prettyJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2) ?? '';
}

/** `text`, `number`, `list`…: what a value is, in a word. */
export function kindOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return typeof value === 'string' ? 'text' : typeof value;
}
