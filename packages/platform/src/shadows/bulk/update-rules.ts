import { isJsonObject, type Json, type JsonObject } from '../shadow-document.ts';
import { sameJson } from '../same-json.ts';
import { mergeUpdate, withInherited } from '../shadow-merge.ts';
import type { ShadowRule } from '../shadow-rule.ts';
import type { Inheritance } from '../defaults/fleet-rules.ts';

/** Merges a patch into desired; a shadow that has it already stays as it is: no new version, and no message to the device. */
export function desiredRule(patch: JsonObject): ShadowRule {
  return (document, { nowMs, nextVersion }) => {
    if (hasAlready(document?.desired ?? {}, patch)) return { kind: 'unchanged' };
    const written = { desired: patch };
    return { kind: 'put', document: mergeUpdate(document, written, { nowMs, version: nextVersion }), written };
  };
}

/**
 * Gives a shadow what its device inherits now. One that is not there is made where something is inherited, but not one that was there and
 * was deleted: that waits for its next update.
 *
 * @param inheritance asked when the rule is applied.
 */
export function inheritRule(inheritance: () => Inheritance): ShadowRule {
  return (document, { nowMs, nextVersion }) => {
    const { inherited, fault } = inheritance();
    if (document === undefined ? inherited === undefined || nextVersion > 1 : sameLayer(document.inherited, inherited))
      return { kind: 'unchanged' };
    // What was inherited before stays.
    if (fault !== undefined) return { kind: 'refused', fault: { code: 400, message: fault, reason: 'schema' } };
    return { kind: 'put', document: withInherited(document, inherited, { nowMs, version: nextVersion }), written: {} };
  };
}

/** Whether a merge patch (RFC 7396) would leave a value as it is. */
export function hasAlready(value: JsonObject, patch: JsonObject): boolean {
  for (const key in patch) {
    const wanted = patch[key] as Json;
    const has = Object.hasOwn(value, key);
    if (wanted === null ? has : !has || !isSame(value[key] as Json, wanted)) return false;
  }
  return true;
}

function isSame(value: Json, wanted: Json): boolean {
  return isJsonObject(wanted) ? isJsonObject(value) && hasAlready(value, wanted) : sameJson(value, wanted);
}

function sameLayer(one: JsonObject | undefined, other: JsonObject | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && sameJson(one, other));
}
