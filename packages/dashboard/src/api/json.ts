/** Narrow readers for JSON from the server: parsed once here, trusted after. Each throws a TypeError that names the field. */
export type Json = Readonly<Record<string, unknown>>;

export function asObject(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(what);
  return value as Json; // an object that is neither null nor an array: its fields stay unknown
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(what);
  return value;
}

export function text(source: Json, field: string): string {
  const value = source[field];
  if (typeof value !== 'string') throw unexpected(field);
  return value;
}

export function optionalText(source: Json, field: string): string | undefined {
  return source[field] === undefined ? undefined : text(source, field);
}

export function number(source: Json, field: string): number {
  const value = source[field];
  if (typeof value !== 'number') throw unexpected(field);
  return value;
}

export function optionalNumber(source: Json, field: string): number | undefined {
  return source[field] === undefined ? undefined : number(source, field);
}

export function optionalObject(source: Json, field: string): Json | undefined {
  return source[field] === undefined ? undefined : asObject(source[field], field);
}

export function truth(source: Json, field: string): boolean {
  const value = source[field];
  if (typeof value !== 'boolean') throw unexpected(field);
  return value;
}

export function texts(source: Json, field: string): readonly string[] {
  return asArray(source[field], field).map((value) => {
    if (typeof value !== 'string') throw unexpected(field);
    return value;
  });
}

/** A list of objects, each read by `read`. */
export function objects<T>(source: Json, field: string, read: (item: Json) => T): readonly T[] {
  return asArray(source[field], field).map((item) => read(asObject(item, field)));
}

/** Whether a value of any kind is an object, and neither null nor a list. */
export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unexpected(what: string): TypeError {
  return new TypeError(`The server's answer has an unexpected "${what}".`);
}
