import { deltaStamps } from './shadow-delta.ts';
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

/** A section of a document as JSON. */
export interface SectionText {
  readonly state: string;
  readonly metadata: string;
}

/** The sections of a document as AWS shows them: what is desired with what is inherited. */
export interface StateTexts {
  readonly desired: SectionText | undefined;
  readonly reported: SectionText | undefined;
}

/** `P/update/delta`, without its token. */
export interface DeltaText {
  readonly state: string;
  readonly metadata: string;
}

/**
 * The metadata of a section (AWS IoT Core developer guide, "Device Shadow service documents"): `{"timestamp":T}` in the place of each
 * leaf. Arrays are shown with one for each of their elements, though they are written whole.
 */
export function metadataText(value: JsonObject, stamps: StampTree): string {
  let text = '{';
  for (const key in value) {
    const stamp = stamps[key];
    if (stamp === undefined) continue;
    const child = value[key] as Json;
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(key)}:${isLeafStamp(stamp) ? leafText(child, stampText(stamp)) : metadataText(child as JsonObject, stamp)}`;
  }
  return `${text}}`;
}

function leafText(value: Json, stamp: string): string {
  if (typeof value !== 'object' || value === null) return stamp;
  if (Array.isArray(value)) return `[${value.map((element: Json) => leafText(element, stamp)).join(',')}]`;
  const members = Object.entries(value as JsonObject).map(([key, child]) => `${JSON.stringify(key)}:${leafText(child, stamp)}`);
  return `{${members.join(',')}}`;
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
  let text = '{';
  for (const key in section) {
    const value = section[key] as Json;
    if (value === null) continue;
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(key)}:${isJsonObject(value) ? writtenMetadata(value, stamp) : leafText(value, stamp)}`;
  }
  return `${text}}`;
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

export function deltaText(delta: JsonObject, stamps: StampTree): DeltaText {
  return { state: JSON.stringify(delta), metadata: metadataText(delta, deltaStamps(delta, stamps)) };
}

/** `P/update/delta`. */
export function deltaMessageText(delta: DeltaText, version: number, nowMs: number, clientToken: string | undefined): string {
  return `{"version":${version},"state":${delta.state},"metadata":${delta.metadata},${tail(nowMs, clientToken)}`;
}

/** One side of `P/update/documents`. */
export function stateText(texts: StateTexts, version: number): string {
  const { desired, reported } = texts;
  return `{"state":${objectText(desired?.state, reported?.state)},"metadata":${objectText(desired?.metadata, reported?.metadata)},"version":${version}}`;
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
  texts: StateTexts,
  delta: JsonObject | undefined,
  version: number,
  nowMs: number,
  clientToken: string | undefined,
): string {
  const { desired, reported } = texts;
  const sections = objectText(desired?.state, reported?.state);
  const state = delta === undefined ? sections : `${sections.slice(0, -1)},"delta":${JSON.stringify(delta)}}`;
  return `{"state":${state},"metadata":${objectText(desired?.metadata, reported?.metadata)},"version":${version},${tail(nowMs, clientToken)}`;
}

/** `P/delete/accepted`. */
export function deleteAcceptedText(version: number, nowMs: number, clientToken: string | undefined): string {
  return `{"version":${version},${tail(nowMs, clientToken)}`;
}

/** `P/.../rejected`. */
export function rejectedText(fault: ShadowFault, nowMs: number, clientToken: string | undefined): string {
  return `{"code":${fault.code},"message":${JSON.stringify(fault.message)},${tail(nowMs, clientToken)}`;
}
