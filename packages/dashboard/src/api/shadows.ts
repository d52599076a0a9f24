import type { ApiClient } from './client.ts';
import { asObject, isJson, number, optionalObject, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

/** What a device is to be, and what it says it is. */
export interface Shadow {
  readonly version: number;
  /** What was asked of this device itself. */
  readonly desired: Json;
  /** What its groups and its type ask. */
  readonly inherited: Json;
  /** `inherited` with `desired` over it. */
  readonly effective: Json;
  readonly reported: Json;
  /** What of `effective` is not reported so. */
  readonly delta: Json;
  /** For each value of a section when it was written, as `{atMs, version}` in its place. */
  readonly metadata: { readonly desired: Json; readonly inherited: Json; readonly reported: Json };
  readonly updatedAtMs: number;
}

export interface ShadowSummary {
  /** Empty: the classic one. */
  readonly name: string;
  readonly version: number;
  readonly updatedAtMs: number;
}

export interface ShadowChange {
  /** That came of it. */
  readonly version: number;
  readonly atMs: number;
  /** `device:sensor1`, `user:ann`. */
  readonly by: string;
  readonly isDeletion: boolean;
  /** What was written in each section; null: all of it was taken away; undefined: nothing. */
  readonly desired: Json | null | undefined;
  readonly reported: Json | null | undefined;
  readonly inherited: Json | null | undefined;
}

/** Where the desired state of a device comes from, and what of a shadow does not fit the schema of its type. */
export interface ShadowOrigin {
  /** The farthest first: each lies over those before it. */
  readonly layers: readonly { readonly target: string; readonly desired: Json }[];
  readonly inheritedFault: string | undefined;
  readonly desiredFault: string | undefined;
  readonly reportedFault: string | undefined;
}

export interface ShadowName {
  readonly device: string;
  /** Empty: the classic one. */
  readonly name: string;
}

const NOTHING: Json = {};
const HISTORY_PAGE = 20;
/** The same rule as the server's, to say it before asking. */
export const SHADOW_NAME_PATTERN = /^[$A-Za-z0-9:_-]{1,64}$/;

export async function fetchShadows(
  client: ApiClient,
  device: string,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<ShadowSummary>> {
  const path = `/devices/${encodeURIComponent(device)}/shadows`;
  return pageOf(await client.get(path, { query: { limit: 1000, cursor }, signal }), 'shadows', (source) => ({
    name: optionalText(source, 'name') ?? '',
    version: number(source, 'version'),
    updatedAtMs: number(source, 'updatedAtMs'),
  }));
}

export async function fetchShadow(client: ApiClient, name: ShadowName, signal?: AbortSignal): Promise<Shadow> {
  return shadowFrom(await client.get(pathOf(name), { signal }));
}

/**
 * Merges a patch (RFC 7396) into what is desired, where the shadow still has the version that was looked at; 0: where there is none.
 *
 * @throws Problem `request.precondition-failed` where it has another by now.
 */
export async function patchDesired(client: ApiClient, name: ShadowName, desired: Json, version: number): Promise<Shadow> {
  const response = await client.send('PATCH', pathOf(name), { body: { desired }, headers: onlyIf(version) });
  return shadowFrom(await response.json());
}

/** @throws Problem `request.precondition-failed` where it has another version by now. */
export async function removeShadow(client: ApiClient, name: ShadowName, version: number): Promise<void> {
  await client.send('DELETE', pathOf(name), { headers: onlyIf(version) });
}

export async function fetchShadowHistory(
  client: ApiClient,
  name: ShadowName,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<ShadowChange>> {
  const answer = await client.get(`${pathOf(name)}/history`, { query: { limit: HISTORY_PAGE, cursor }, signal });
  return pageOf(answer, 'history', (source) => ({
    version: number(source, 'version'),
    atMs: number(source, 'atMs'),
    by: text(source, 'by'),
    isDeletion: source['change'] === 'deleted',
    desired: sectionIn(source, 'desired'),
    reported: sectionIn(source, 'reported'),
    inherited: sectionIn(source, 'inherited'),
  }));
}

export async function fetchShadowOrigin(
  client: ApiClient,
  { device, name }: ShadowName,
  signal?: AbortSignal,
): Promise<ShadowOrigin> {
  const query = name === '' ? {} : { shadow: name };
  const source = asObject(
    await client.get(`/devices/${encodeURIComponent(device)}/shadow-origin`, { query, signal }),
    'shadow origin',
  );
  const layers = source['layers'];
  return {
    layers: (Array.isArray(layers) ? layers : [])
      .filter(isJson)
      .map((layer) => ({ target: text(layer, 'target'), desired: asObject(layer['desired'], 'desired') })),
    inheritedFault: optionalText(source, 'inheritedFault'),
    desiredFault: optionalText(source, 'desiredFault'),
    reportedFault: optionalText(source, 'reportedFault'),
  };
}

/** RFC 9110, 13.1.1 and 13.1.2. */
function onlyIf(version: number): Readonly<Record<string, string>> {
  return version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` };
}

function shadowFrom(json: unknown): Shadow {
  const source = asObject(json, 'shadow');
  const metadata = asObject(source['metadata'], 'metadata');
  return {
    version: number(source, 'version'),
    desired: asObject(source['desired'], 'desired'),
    inherited: optionalObject(source, 'inherited') ?? NOTHING,
    effective: asObject(source['effective'], 'effective'),
    reported: asObject(source['reported'], 'reported'),
    delta: optionalObject(source, 'delta') ?? NOTHING,
    metadata: {
      desired: optionalObject(metadata, 'desired') ?? NOTHING,
      inherited: optionalObject(metadata, 'inherited') ?? NOTHING,
      reported: optionalObject(metadata, 'reported') ?? NOTHING,
    },
    updatedAtMs: number(source, 'updatedAtMs'),
  };
}

function sectionIn(source: Json, field: string): Json | null | undefined {
  return source[field] === null ? null : optionalObject(source, field);
}

function pathOf({ device, name }: ShadowName): string {
  const base = `/devices/${encodeURIComponent(device)}`;
  return name === '' ? `${base}/shadow` : `${base}/shadows/${encodeURIComponent(name)}`;
}
