import type { Json } from '../api/json.ts';

/** `{"fw": {"version": "2.1"}}` as `[["fw.version", "2.1"]]`; lists stay in one piece. */
export function attributePaths(attributes: Json, before = ''): readonly (readonly [path: string, value: string])[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    const path = `${before}${name}`;
    if (isObject(value) && Object.keys(value).length > 0) return attributePaths(value, `${path}.`);
    return [[path, typeof value === 'string' ? value : JSON.stringify(value)] as const];
  });
}

/** What turns one object into another as a merge patch (RFC 7396): null for what is gone. */
export function mergePatch(before: Json, after: Json): Json {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const patch: [string, unknown][] = [];
  for (const name of names) {
    const [old, next] = [before[name], after[name]];
    if (JSON.stringify(old) === JSON.stringify(next)) continue;
    if (isObject(old) && isObject(next)) patch.push([name, mergePatch(old, next)]);
    else patch.push([name, Object.hasOwn(after, name) ? next : null]);
  }
  return Object.fromEntries(patch);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
