import { isJson, type Json } from '../api/json.ts';

/** The keys that lead to a value, from the root. */
export type JsonPath = readonly string[];

/** All values of an object that are not objects with something in them, in their order; a list is one value. */
export function leavesOf(json: Json, before: JsonPath = []): readonly (readonly [path: JsonPath, value: unknown])[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const path = [...before, key];
    return isJson(value) && Object.keys(value).length > 0 ? leavesOf(value, path) : [[path, value] as const];
  });
}

/** The value at a path; undefined: there is none. */
export function valueAt(json: Json, path: JsonPath): unknown {
  let value: unknown = json;
  for (const key of path) {
    if (!isJson(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** An object with this value at this path and nothing else. */
export function objectWith(path: JsonPath, value: unknown): Json {
  const [key, ...rest] = path;
  if (key === undefined) throw new RangeError('a path has at least one key');
  // Made from entries, so that a key called __proto__ is one like others.
  return Object.fromEntries([[key, rest.length === 0 ? value : objectWith(rest, value)]]);
}

/** `fan.speed`; keys that dots or quotes would make unclear stand in quotes: `"10.0.0.1".port`. */
export function pathText(path: JsonPath): string {
  return path.map((key) => (/^[^."\s]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

/** The path that a text names, as `pathText` writes it; undefined: it names none. */
export function parsePath(text: string): JsonPath | undefined {
  const path: string[] = [];
  const key = /"(?:[^"\\]|\\.)*"|[^."\s][^."]*/y;
  for (let at = 0; ; at = key.lastIndex + 1) {
    key.lastIndex = at;
    const found = key.exec(text)?.[0];
    if (found === undefined) return undefined;
    const read = found.startsWith('"') ? unquoted(found) : found.trimEnd();
    if (read === undefined) return undefined;
    path.push(read);
    if (key.lastIndex === text.length) return path;
    if (text[key.lastIndex] !== '.') return undefined;
  }
}

function unquoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}
