import * as fc from 'fast-check';
import { isJsonObject, isLeafStamp, type Json, type JsonObject, type LeafStamp, type StampTree } from './shadow-document.ts';

/** Few of them, so that they meet; some that every object inherits. */
const key = fc.constantFrom('a', 'b', 'c', '1', 'constructor', 'toString', 'ä"\\');
const leaf = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.boolean(),
  fc.constantFrom('', 'x', '\ud83d\ude00', '\ud800'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
);

function objectOf(maxDepth: number, ...more: readonly fc.Arbitrary<Json>[]): fc.Arbitrary<JsonObject> {
  const values: fc.Arbitrary<Json>[] = [leaf, leaf, fc.array(leaf, { maxLength: 2 }), ...more];
  if (maxDepth > 1) {
    const inner = objectOf(maxDepth - 1, ...more);
    values.push(inner, fc.array(objectOf(1), { maxLength: 2 }));
  }
  return fc.dictionary(key, fc.oneof(...values), { maxKeys: 4, noNullPrototype: true });
}

/** What can be in a section. */
export const anySection: fc.Arbitrary<JsonObject> = objectOf(3);
/** What an update can say of one. */
export const anyPatch: fc.Arbitrary<JsonObject> = objectOf(3, fc.constant(null));

/** RFC 7396, section 2, word for word; the sections of shadows are such targets. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** Whether stamps have the shape of what they stamp. */
export function fits(value: JsonObject, stamps: StampTree): boolean {
  const keys = Object.keys(value);
  return (
    keys.length === Object.keys(stamps).length &&
    keys.every((name) => {
      const child = value[name];
      const stamp = Object.hasOwn(stamps, name) ? stamps[name] : undefined;
      if (stamp === undefined) return false;
      return isJsonObject(child) ? !isLeafStamp(stamp) && fits(child, stamp) : isLeafStamp(stamp);
    })
  );
}

/** Every leaf with its path. */
export function leavesOf(stamps: StampTree, at = ''): readonly (readonly [string, LeafStamp])[] {
  return Object.entries(stamps).flatMap(([name, stamp]) =>
    isLeafStamp(stamp) ? [[`${at}/${name}`, stamp] as const] : leavesOf(stamp, `${at}/${name}`),
  );
}
