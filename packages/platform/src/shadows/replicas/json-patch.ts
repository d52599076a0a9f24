import { sameJson } from '../same-json.ts';
import { isJsonObject, type Json, type JsonObject } from '../shadow-document.ts';

/** The merge patch (RFC 7396) that makes one object the other. Undefined: they are the same. */
export function patchBetween(before: JsonObject, after: JsonObject): JsonObject | undefined {
  const patch: [string, Json][] = [];
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch.push([key, null]);
  for (const [key, next] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (old === undefined) patch.push([key, next]);
    else if (isJsonObject(old) && isJsonObject(next)) {
      const inner = patchBetween(old, next);
      if (inner !== undefined) patch.push([key, inner]);
    } else if (!sameJson(old, next)) patch.push([key, next]);
  }
  return patch.length === 0 ? undefined : Object.fromEntries(patch);
}
