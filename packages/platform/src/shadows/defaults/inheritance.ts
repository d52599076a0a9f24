import { isJsonObject, sectionOf, type Json, type JsonObject } from '../shadow-document.ts';

/**
 * What comes of defaults that lie over each other: objects key by key, anything else (an array too) from the nearest, and null takes away
 * what lies below (RFC 7396).
 *
 * @param layers the farthest first.
 * @returns without any null; undefined where nothing is left.
 */
export function inheritedFrom(layers: readonly JsonObject[]): JsonObject | undefined {
  let inherited: JsonObject = {};
  for (const layer of layers) inherited = overlaid(inherited, layer);
  return sectionOf(inherited);
}

function overlaid(under: JsonObject, over: JsonObject): JsonObject {
  const result: Record<string, Json> = {};
  for (const key in under) if (!Object.hasOwn(over, key)) result[key] = under[key] as Json;
  for (const key in over) {
    const value = over[key] as Json;
    if (value === null) continue;
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    result[key] = isJsonObject(value) ? overlaid(isJsonObject(below) ? below : {}, value) : value;
  }
  return result;
}
