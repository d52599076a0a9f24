import { isJsonObject, type Json, type JsonObject } from './shadow-document.ts';

/** Whether two values are the same JSON, whatever the order of their keys. */
export function sameJson(one: Json, other: Json): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one)) return Array.isArray(other) && sameArray(one, other);
  return isJsonObject(one) && isJsonObject(other) && sameObject(one, other);
}

function sameArray(one: readonly Json[], other: readonly Json[]): boolean {
  return one.length === other.length && one.every((element, index) => sameJson(element, other[index] as Json));
}

function sameObject(one: JsonObject, other: JsonObject): boolean {
  let keys = 0;
  for (const key in one) {
    if (!Object.hasOwn(other, key) || !sameJson(one[key] as Json, other[key] as Json)) return false;
    keys++;
  }
  for (const _key in other) keys--;
  return keys === 0;
}
