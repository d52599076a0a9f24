import { SelsynError } from '../kernel/errors.ts';
import type { JsonObject, ShadowClock, ShadowDocument, ShadowKey } from './shadow-document.ts';
import type { DocumentTexts } from './shadow-texts.ts';

/*
 * The document of a row:
 *
 *   {"desired":{…},"reported":{…},"inherited":{…},        each where there is one
 *    "stamps":{"desired":{"color":[1591057529,11]},…},    of the same layers
 *    "clock":{…}}
 */
interface StoredDocument {
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
  readonly inherited?: JsonObject;
  readonly stamps: ShadowDocument['stamps'];
  readonly clock?: ShadowClock;
}

/** What a row says of a document besides its text. */
export interface RowFacts {
  readonly path: string;
  readonly version: number;
  readonly document: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

export function encodeDocument(document: ShadowDocument, texts: DocumentTexts): string {
  const { own, reported, inherited } = texts;
  let state = '';
  let stamps = '';
  if (own !== undefined) {
    state += `"desired":${own.state},`;
    stamps += `"desired":${own.stamps}`;
  }
  if (reported !== undefined) {
    state += `"reported":${reported.state},`;
    stamps += `${stamps === '' ? '' : ','}"reported":${reported.stamps}`;
  }
  if (inherited !== undefined) {
    state += `"inherited":${inherited.state},`;
    stamps += `${stamps === '' ? '' : ','}"inherited":${inherited.stamps}`;
  }
  const clock = document.clock === undefined ? '' : `,"clock":${JSON.stringify(document.clock)}`;
  return `{${state}"stamps":{${stamps}}${clock}}`;
}

/** @returns undefined for one that was deleted. @throws SelsynError `data.corrupt` */
export function decodeDocument(row: RowFacts): ShadowDocument | undefined {
  if (row.document === '') return undefined;
  let stored: StoredDocument;
  try {
    stored = JSON.parse(row.document) as StoredDocument;
  } catch (cause) {
    throw new SelsynError('data.corrupt', `the shadow ${row.path} cannot be read`, { cause });
  }
  const { stamps } = stored;
  return {
    version: Number(row.version),
    desired: stored.desired,
    reported: stored.reported,
    inherited: stored.inherited,
    stamps: { desired: stamps.desired, reported: stamps.reported, inherited: stamps.inherited },
    clock: stored.clock,
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

/** Between the device and the name: in no device id. */
const SEPARATOR = '/';
const AFTER_SEPARATOR = '0';

export function pathOf({ device, shadow }: ShadowKey): string {
  return device + SEPARATOR + shadow;
}

export function keyOf(path: string): ShadowKey {
  const end = path.indexOf(SEPARATOR);
  return { device: path.slice(0, end), shadow: path.slice(end + 1) };
}

/** The paths of all shadows of a device: from `first`, before `end`. */
export function pathsOf(device: string): { readonly first: string; readonly end: string } {
  return { first: device + SEPARATOR, end: device + AFTER_SEPARATOR };
}
