import { SelsynError } from '../kernel/errors.ts';
import type { JsonObject, ShadowClock, ShadowDocument, ShadowKey, StampTree } from './shadow-document.ts';

/*
 * The document of a row:
 *
 *   state     {"desired":{…},"reported":{…}}                        each where there is one: what AWS shows, where nothing is inherited
 *   details   {"desired":{"color":[1591057529,11]},"reported":{…},  the stamps of both
 *              "inherited":{"value":{…},"stamps":{…}},"clock":{…}}  where there are
 */
interface StoredState {
  readonly desired?: JsonObject;
  readonly reported?: JsonObject;
}

interface StoredDetails {
  readonly desired?: StampTree;
  readonly reported?: StampTree;
  readonly inherited?: { readonly value: JsonObject; readonly stamps: StampTree };
  readonly clock?: ShadowClock;
}

/** What a row says of a document. */
export interface RowFacts {
  readonly path: string;
  readonly version: number;
  readonly state: string;
  readonly details: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

export const DOCUMENT_COLUMNS = [
  'path',
  'version',
  'state',
  'details',
  'created_at_ms',
  'updated_at_ms',
] as const satisfies readonly (keyof RowFacts)[];

/** The texts of a row. */
export interface RowTexts {
  readonly state: string;
  readonly details: string;
}

export function encodeDocument({ desired, reported, inherited, stamps, clock }: ShadowDocument): RowTexts {
  const details = {
    desired: stamps.desired,
    reported: stamps.reported,
    inherited: inherited === undefined ? undefined : { value: inherited, stamps: stamps.inherited },
    clock,
  };
  return { state: JSON.stringify({ desired, reported }), details: JSON.stringify(details) };
}

/** @returns undefined for one that was deleted. @throws SelsynError `data.corrupt` */
export function decodeDocument(row: RowFacts): ShadowDocument | undefined {
  if (row.state === '') return undefined;
  let state: StoredState;
  let details: StoredDetails;
  try {
    state = JSON.parse(row.state) as StoredState;
    details = JSON.parse(row.details) as StoredDetails;
  } catch (cause) {
    throw new SelsynError('data.corrupt', `the shadow ${row.path} cannot be read`, { cause });
  }
  return {
    version: Number(row.version),
    desired: state.desired,
    reported: state.reported,
    inherited: details.inherited?.value,
    stamps: { desired: details.desired, reported: details.reported, inherited: details.inherited?.stamps },
    clock: details.clock,
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
