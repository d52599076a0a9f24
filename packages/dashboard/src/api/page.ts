import { asObject, objects, optionalText, type Json } from './json.ts';

/** A part of a list; the cursor is there when there is more. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | undefined;
}

export function pageOf<T>(json: unknown, what: string, read: (item: Json) => T): Page<T> {
  const body = asObject(json, what);
  return { items: objects(body, 'items', read), cursor: optionalText(body, 'cursor') };
}
