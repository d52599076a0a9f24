import { FAULTS, tooDeep, type ShadowFault } from './shadow-faults.ts';
import type { Json, JsonObject, ShadowPatch } from './shadow-document.ts';

export interface ShadowLimits {
  /** Of desired and reported as JSON in UTF-8, without metadata and what is inherited. */
  readonly maxDocumentBytes: number;
  /** Of keys within a section: `{"a":{"b":1}}` has two levels. An array is a level too. */
  readonly maxLevels: number;
}

/** AWS's quotas (AWS general reference, "AWS IoT Core endpoints and quotas", Device Shadow). */
export const AWS_LIMITS: ShadowLimits = { maxDocumentBytes: 8_192, maxLevels: 8 };
/** Bytes in UTF-8. */
export const MAX_CLIENT_TOKEN_BYTES = 64;

/** What cannot stand in a section: too many levels, a null in an array, a key that JavaScript has a meaning for. */
export function sectionFault(section: JsonObject, limits: ShadowLimits): ShadowFault | undefined {
  return objectFault(section, 1, limits.maxLevels, false);
}

export function patchFault(patch: ShadowPatch, limits: ShadowLimits): ShadowFault | undefined {
  return (
    (patch.desired ? sectionFault(patch.desired, limits) : undefined) ??
    (patch.reported ? sectionFault(patch.reported, limits) : undefined)
  );
}

/** @param level of the keys of this object. */
function objectFault(object: JsonObject, level: number, maxLevels: number, inArray: boolean): ShadowFault | undefined {
  for (const key in object) {
    // JSON.parse makes it a key like others; any assignment to it afterwards would not.
    if (key === '__proto__') return FAULTS.node;
    if (level > maxLevels) return tooDeep(maxLevels);
    const value = object[key] as Json;
    if (typeof value !== 'object') {
      if (isEndless(value)) return FAULTS.node;
      continue;
    }
    const fault = childFault(value, level + 1, maxLevels, inArray);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function childFault(value: Json, level: number, maxLevels: number, inArray: boolean): ShadowFault | undefined {
  // Arrays are replaced whole: a null in one would not take anything away, and stay.
  if (value === null) return inArray ? FAULTS.node : undefined;
  if (Array.isArray(value)) {
    if (level > maxLevels && value.length > 0) return tooDeep(maxLevels);
    for (const element of value as readonly Json[]) {
      if (typeof element !== 'object') {
        if (isEndless(element)) return FAULTS.node;
        continue;
      }
      const fault = childFault(element, level + 1, maxLevels, true);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  return typeof value === 'object' ? objectFault(value as JsonObject, level, maxLevels, inArray) : undefined;
}

/** What JSON.parse makes of 1e999, which JSON cannot write again. */
function isEndless(value: Json): boolean {
  return value === Infinity || value === -Infinity;
}
