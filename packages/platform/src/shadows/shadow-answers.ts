import {
  isJsonObject,
  isLeafStamp,
  type Json,
  type JsonObject,
  type LeafStamp,
  type ShadowPatch,
  type StampTree,
} from './shadow-document.ts';
import type { ShadowFault } from './shadow-faults.ts';
import type { MetadataTexts, ShownShadow } from './shown-shadow.ts';

/**
 * The metadata of a section (AWS IoT Core developer guide, "Device Shadow service documents"): `{"timestamp":T}` in the place of each
 * leaf. Arrays are shown with one for each of their elements, though they are written whole.
 */
export function metadataText(value: JsonObject, stamps: StampTree): string {
  let text = '';
  for (const key in value) {
    const stamp = stamps[key];
    if (stamp === undefined) continue;
    const child = value[key] as Json;
    const inner = isLeafStamp(stamp) ? leafText(child, stampText(stamp)) : metadataText(child as JsonObject, stamp);
    text += `${text === '' ? '{' : ','}${keyText(key)}${inner}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

function leafText(value: Json, stamp: string): string {
  if (typeof value !== 'object' || value === null) return stamp;
  if (Array.isArray(value)) return `[${value.map((element: Json) => leafText(element, stamp)).join(',')}]`;
  const members = Object.entries(value as JsonObject).map(([key, child]) => keyText(key) + leafText(child, stamp));
  return `{${members.join(',')}}`;
}

/** Keys are few, and the same on many devices. */
const MAX_KEY_TEXTS = 10_000;
const keyTexts = new Map<string, string>();

function keyText(key: string): string {
  let text = keyTexts.get(key);
  if (text === undefined) {
    if (keyTexts.size >= MAX_KEY_TEXTS) keyTexts.clear();
    text = `${JSON.stringify(key)}:`;
    keyTexts.set(key, text);
  }
  return text;
}

function stampText(stamp: LeafStamp): string {
  return `{"timestamp":${stamp[0]}}`;
}

/** What an update wrote, without what it took away: `undefined` where nothing is left. */
function writtenText(section: JsonObject | null | undefined): string | undefined {
  if (!section) return undefined;
  const left = withoutNulls(section);
  for (const _key in left) return JSON.stringify(left);
  return undefined;
}

/** The same object where there is none. */
function withoutNulls(object: JsonObject): JsonObject {
  let changed = false;
  const copy: Record<string, Json> = {};
  for (const key in object) {
    const value = object[key] as Json;
    if (value === null) {
      changed = true;
      continue;
    }
    const kept = isJsonObject(value) ? withoutNulls(value) : value;
    if (kept !== value) changed = true;
    copy[key] = kept;
  }
  return changed ? copy : object;
}

/** The metadata of what an update wrote: it has one time. */
function writtenMetadata(section: JsonObject, stamp: string): string {
  let text = '';
  for (const key in section) {
    const value = section[key] as Json;
    if (value === null) continue;
    const inner = isJsonObject(value) ? writtenMetadata(value, stamp) : leafText(value, stamp);
    text += `${text === '' ? '{' : ','}${keyText(key)}${inner}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

function tail(nowMs: number, clientToken: string | undefined): string {
  const timestamp = `"timestamp":${Math.floor(nowMs / 1000)}`;
  return clientToken === undefined ? `${timestamp}}` : `${timestamp},"clientToken":${JSON.stringify(clientToken)}}`;
}

function objectText(desired: string | undefined, reported: string | undefined): string {
  if (desired === undefined) return reported === undefined ? '{}' : `{"reported":${reported}}`;
  return reported === undefined ? `{"desired":${desired}}` : `{"desired":${desired},"reported":${reported}}`;
}

/** `P/update/accepted`: only what the request wrote. */
export function updateAcceptedText(
  written: ShadowPatch,
  version: number,
  nowMs: number,
  clientToken: string | undefined,
): string {
  const desired = writtenText(written.desired);
  const reported = writtenText(written.reported);
  const stamp = `{"timestamp":${Math.floor(nowMs / 1000)}}`;
  const metadata = objectText(
    desired && writtenMetadata(written.desired ?? {}, stamp),
    reported && writtenMetadata(written.reported ?? {}, stamp),
  );
  return `{"state":${objectText(desired, reported)},"metadata":${metadata},"version":${version},${tail(nowMs, clientToken)}`;
}

/** `P/update/delta`. @param stamps of all that is desired. */
export function deltaMessageText(
  delta: JsonObject,
  stamps: StampTree,
  version: number,
  nowMs: number,
  clientToken: string | undefined,
): string {
  return `{"version":${version},"state":${JSON.stringify(delta)},"metadata":${metadataText(delta, stamps)},${tail(nowMs, clientToken)}`;
}

/** One side of `P/update/documents`. */
export function stateText({ state, version }: ShownShadow, metadata: MetadataTexts): string {
  return `{"state":${state},"metadata":${objectText(metadata.desired, metadata.reported)},"version":${version}}`;
}

/** `P/update/documents`; of a shadow that is new, `previous` is null. */
export function documentsText(
  previous: string | undefined,
  current: string,
  nowMs: number,
  clientToken: string | undefined,
): string {
  return `{"previous":${previous ?? 'null'},"current":${current},${tail(nowMs, clientToken)}`;
}

/** `P/get/accepted`. */
export function getAcceptedText(
  { state, version }: ShownShadow,
  metadata: MetadataTexts,
  delta: JsonObject | undefined,
  nowMs: number,
  clientToken: string | undefined,
): string {
  const full = delta === undefined ? state : `${state.slice(0, -1)},"delta":${JSON.stringify(delta)}}`;
  return `{"state":${full},"metadata":${objectText(metadata.desired, metadata.reported)},"version":${version},${tail(nowMs, clientToken)}`;
}

/** `P/delete/accepted`. */
export function deleteAcceptedText(version: number, nowMs: number, clientToken: string | undefined): string {
  return `{"version":${version},${tail(nowMs, clientToken)}`;
}

/** `P/.../rejected`. */
export function rejectedText(fault: ShadowFault, nowMs: number, clientToken: string | undefined): string {
  return `{"code":${fault.code},"message":${JSON.stringify(fault.message)},${tail(nowMs, clientToken)}`;
}
