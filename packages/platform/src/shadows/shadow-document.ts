/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** When a leaf was written: epoch seconds, the version that came of it, and the edge replica that wrote it, where one did. */
export type LeafStamp = readonly [timestampSec: number, version: number, replica?: string];

/**
 * The stamps of a section: an object where the section has an object, a LeafStamp where it has anything else. An array is one leaf.
 */
export interface StampTree {
  readonly [key: string]: LeafStamp | StampTree;
}

/** The layers of a shadow that people and devices write. */
export type Section = 'desired' | 'reported';
/** `inherited`: what the groups and the type of the device want where nobody wants anything else for this device. */
export type Layer = Section | 'inherited';

/** How far each edge replica has been heard, see replicas/. */
export type ShadowClock = Readonly<Record<string, number>>;

/**
 * A shadow. Values are never changed in place: what an update leaves as it is, is the same object before and after.
 *
 * Invariants: a layer is undefined where it would be empty, and has stamps where it is there; no null but in `inherited`, where it is
 * not either; each stamp's version is at most that of the document.
 */
export interface ShadowDocument {
  /** From 1, one more for each update. */
  readonly version: number;
  readonly desired?: JsonObject | undefined;
  readonly reported?: JsonObject | undefined;
  readonly inherited?: JsonObject | undefined;
  readonly stamps: Readonly<Partial<Record<Layer, StampTree | undefined>>>;
  readonly clock?: ShadowClock | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Names a shadow. */
export interface ShadowKey {
  readonly device: string;
  /** '' is the classic one. */
  readonly shadow: string;
}

/** What an update writes: null takes a key, or a whole section, away; what is not there stays. */
export interface ShadowPatch {
  readonly desired?: JsonObject | null | undefined;
  readonly reported?: JsonObject | null | undefined;
}

/** The time and the version of an update, which its leaves get. */
export interface UpdateStamp {
  readonly nowMs: number;
  readonly version: number;
  readonly replica?: string | undefined;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isLeafStamp(node: LeafStamp | StampTree | undefined): node is LeafStamp {
  return Array.isArray(node);
}

/** Undefined where it has no key: a section that is empty is not there. */
export function sectionOf<T extends object>(section: T): T | undefined {
  for (const key in section) if (Object.hasOwn(section, key)) return section;
  return undefined;
}
