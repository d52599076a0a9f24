import {
  isJsonObject,
  isLeafStamp,
  sectionOf,
  type Json,
  type JsonObject,
  type LeafStamp,
  type ShadowDocument,
  type ShadowPatch,
  type StampTree,
  type UpdateStamp,
} from './shadow-document.ts';
import { sameJson } from './same-json.ts';

/** A section and its stamps, which have the same shape. */
export interface Stamped {
  readonly value: JsonObject;
  readonly stamps: StampTree;
}

/** A copy that a function makes and then hands out as one that nobody changes. */
type Draft<T> = Record<string, T>;

const EMPTY: JsonObject = {};
const UNSTAMPED: StampTree = {};

/**
 * An update as AWS does it: objects are merged key by key, null takes a key away, anything else (an array too) replaces what was there.
 * What the patch writes gets the stamp, also where it was the same before.
 */
export function mergeUpdate(document: ShadowDocument | undefined, patch: ShadowPatch, stamp: UpdateStamp): ShadowDocument {
  return withSections(
    document,
    mergedSection(stampedOf(document, 'desired'), patch.desired, stamp),
    mergedSection(stampedOf(document, 'reported'), patch.reported, stamp),
    stamp,
  );
}

/** Makes sections exactly what the patch says; a leaf that stays as it was keeps its stamp. Null empties, undefined leaves alone. */
export function replaceSections(document: ShadowDocument | undefined, patch: ShadowPatch, stamp: UpdateStamp): ShadowDocument {
  return withSections(
    document,
    replacedSection(stampedOf(document, 'desired'), patch.desired, stamp),
    replacedSection(stampedOf(document, 'reported'), patch.reported, stamp),
    stamp,
  );
}

/** Gives a document what it inherits from now on: exactly this. */
export function withInherited(
  document: ShadowDocument | undefined,
  inherited: JsonObject | undefined,
  stamp: UpdateStamp,
): ShadowDocument {
  const made = withSections(document, stampedOf(document, 'desired'), stampedOf(document, 'reported'), stamp);
  const before = document?.inherited;
  const next = replacedSection(
    before === undefined ? undefined : { value: before, stamps: document?.stamps.inherited ?? UNSTAMPED },
    inherited ?? null,
    stamp,
  );
  return { ...made, inherited: next?.value, stamps: { ...made.stamps, inherited: next?.stamps } };
}

/** `over` merged onto `under`, neither of them changed. Undefined: both are. */
export function mergeLayers(under: JsonObject | undefined, over: JsonObject | undefined): JsonObject | undefined {
  if (under === undefined) return over;
  if (over === undefined) return under;
  const merged: Draft<Json> = { ...under };
  for (const key in over) {
    const value = over[key] as Json;
    const below = ownOf(under, key);
    merged[key] = isJsonObject(value) && isJsonObject(below) ? (mergeLayers(below, value) as JsonObject) : value;
  }
  return merged;
}

/** The stamps of `mergeLayers(under, over)`. */
export function mergeStamps(under: Stamped | undefined, over: Stamped | undefined): StampTree | undefined {
  if (under === undefined) return over?.stamps;
  if (over === undefined) return under.stamps;
  const merged: Draft<LeafStamp | StampTree> = { ...under.stamps };
  for (const key in over.stamps) {
    const stamp = over.stamps[key] as LeafStamp | StampTree;
    const below = ownOf(under.stamps, key);
    merged[key] =
      below === undefined || isLeafStamp(stamp) || isLeafStamp(below)
        ? stamp
        : (mergeStamps(
            { value: under.value[key] as JsonObject, stamps: below },
            { value: over.value[key] as JsonObject, stamps: stamp },
          ) as StampTree);
  }
  return merged;
}

/** The stamps of a value that is new: the same one at every leaf. */
export function stampsOf(value: JsonObject, leaf: LeafStamp): StampTree {
  const stamps: Draft<LeafStamp | StampTree> = {};
  for (const key in value) {
    const child = value[key] as Json;
    stamps[key] = isJsonObject(child) ? stampsOf(child, leaf) : leaf;
  }
  return stamps;
}

export function leafOf(stamp: UpdateStamp): LeafStamp {
  const timestampSec = Math.floor(stamp.nowMs / 1000);
  return stamp.replica === undefined ? [timestampSec, stamp.version] : [timestampSec, stamp.version, stamp.replica];
}

/** An own key: `constructor` and the like are keys as others. */
function ownOf<T>(object: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function stampedOf(document: ShadowDocument | undefined, section: 'desired' | 'reported'): Stamped | undefined {
  const value = document?.[section];
  return value === undefined ? undefined : { value, stamps: document?.stamps[section] ?? UNSTAMPED };
}

function withSections(
  document: ShadowDocument | undefined,
  desired: Stamped | undefined,
  reported: Stamped | undefined,
  stamp: UpdateStamp,
): ShadowDocument {
  return {
    version: stamp.version,
    desired: desired?.value,
    reported: reported?.value,
    inherited: document?.inherited,
    stamps: { desired: desired?.stamps, reported: reported?.stamps, inherited: document?.stamps.inherited },
    clock: document?.clock,
    createdAtMs: document?.createdAtMs ?? stamp.nowMs,
    updatedAtMs: stamp.nowMs,
  };
}

function mergedSection(
  before: Stamped | undefined,
  patch: JsonObject | null | undefined,
  stamp: UpdateStamp,
): Stamped | undefined {
  if (patch === undefined) return before;
  if (patch === null) return undefined;
  const merged = mergedObject(before?.value ?? EMPTY, before?.stamps ?? UNSTAMPED, patch, leafOf(stamp));
  return sectionOf(merged.value) === undefined ? undefined : merged;
}

function mergedObject(before: JsonObject, stamps: StampTree, patch: JsonObject, leaf: LeafStamp): Stamped {
  const value: Draft<Json> = { ...before };
  const marks: Draft<LeafStamp | StampTree> = { ...stamps };
  let taken: Set<string> | undefined;
  for (const key in patch) {
    const next = patch[key] as Json;
    if (next === null) {
      if (Object.hasOwn(before, key)) (taken ??= new Set()).add(key);
    } else if (isJsonObject(next)) {
      const old = ownOf(before, key);
      const mark = ownOf(stamps, key);
      const merged =
        isJsonObject(old) && mark !== undefined && !isLeafStamp(mark)
          ? mergedObject(old, mark, next, leaf)
          : mergedObject(EMPTY, UNSTAMPED, next, leaf);
      value[key] = merged.value;
      marks[key] = merged.stamps;
    } else {
      value[key] = next;
      marks[key] = leaf;
    }
  }
  return taken === undefined ? { value, stamps: marks } : { value: without(value, taken), stamps: without(marks, taken) };
}

/** `delete` would make every later access of the object slow. */
function without<T>(object: Readonly<Record<string, T>>, keys: ReadonlySet<string>): Readonly<Record<string, T>> {
  const rest: Draft<T> = {};
  for (const key in object) if (!keys.has(key)) rest[key] = object[key] as T;
  return rest;
}

function replacedSection(
  before: Stamped | undefined,
  next: JsonObject | null | undefined,
  stamp: UpdateStamp,
): Stamped | undefined {
  if (next === undefined) return before;
  if (next === null) return undefined;
  const replaced = replacedObject(before?.value ?? EMPTY, before?.stamps ?? UNSTAMPED, next, leafOf(stamp));
  return sectionOf(replaced.value) === undefined ? undefined : replaced;
}

function replacedObject(before: JsonObject, stamps: StampTree, next: JsonObject, leaf: LeafStamp): Stamped {
  const value: Draft<Json> = {};
  const marks: Draft<LeafStamp | StampTree> = {};
  for (const key in next) {
    const child = next[key] as Json;
    if (child === null) continue;
    const old = ownOf(before, key);
    const mark = ownOf(stamps, key);
    if (isJsonObject(child)) {
      const inner =
        isJsonObject(old) && mark !== undefined && !isLeafStamp(mark)
          ? replacedObject(old, mark, child, leaf)
          : replacedObject(EMPTY, UNSTAMPED, child, leaf);
      value[key] = inner.value;
      marks[key] = inner.stamps;
    } else {
      value[key] = child;
      marks[key] = old !== undefined && mark !== undefined && sameJson(old, child) ? mark : leaf;
    }
  }
  return { value, stamps: marks };
}
