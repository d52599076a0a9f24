import { isJsonObject, sectionOf, type Json, type JsonObject } from './shadow-document.ts';
import { sameJson } from './same-json.ts';

/**
 * What is desired and differs from what is reported, with its path from the root: keys only in `desired` are in it, those only in
 * `reported` are not; arrays are compared, and come, whole.
 *
 * @returns undefined when there is no difference.
 */
export function deltaOf(desired: JsonObject | undefined, reported: JsonObject | undefined): JsonObject | undefined {
  if (desired === undefined || desired === reported) return undefined;
  if (reported === undefined) return sectionOf(desired);
  let delta: Record<string, Json> | undefined;
  for (const key in desired) {
    const wanted = desired[key] as Json;
    const difference = Object.hasOwn(reported, key) ? differenceOf(wanted, reported[key] as Json) : wanted;
    if (difference !== undefined) (delta ??= {})[key] = difference;
  }
  return delta;
}

function differenceOf(wanted: Json, had: Json): Json | undefined {
  if (wanted === had) return undefined;
  if (isJsonObject(wanted) && isJsonObject(had)) return deltaOf(wanted, had);
  return sameJson(wanted, had) ? undefined : wanted;
}
