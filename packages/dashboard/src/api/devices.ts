import type { ApiClient } from './client.ts';
import { asArray, asObject, number, optionalText, text, truth, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';
import { latestFrom, type LatestValue } from './telemetry.ts';

export interface Connectivity {
  readonly connected: boolean;
  readonly sinceMs: number;
  readonly lastSeenMs: number;
  /** Why it went, as `keep-alive`; absent while it is connected. */
  readonly goneReason: string | undefined;
}

export interface Device {
  readonly id: string;
  readonly name: string | undefined;
  readonly type: string | undefined;
  readonly group: string;
  readonly attributes: Json;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Absent: it was never connected. */
  readonly connectivity: Connectivity | undefined;
  /** Empty where it was not asked for. */
  readonly latest: readonly LatestValue[];
}

export interface NewDevice {
  readonly id: string;
  readonly token: string;
}

export interface DeviceQuery {
  /** The id begins with this. */
  readonly q?: string | undefined;
  /** Text of the filter language. */
  readonly filter?: string | undefined;
  /** In this group or below. */
  readonly group?: string | undefined;
}

/** What of a device is changed; null takes it away. */
export interface DevicePatch {
  readonly name?: string | null;
  readonly type?: string | null;
  readonly group?: string;
  readonly tags?: readonly string[];
  /** A merge patch (RFC 7396). */
  readonly attributes?: Json;
}

export const PAGE_SIZE = 50;
/** The same rule as the server's, to say it before asking. */
export const DEVICE_ID_PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;

export async function fetchDevices(
  client: ApiClient,
  { q, filter, group, cursor }: DeviceQuery & { readonly cursor: string | undefined },
  signal?: AbortSignal,
): Promise<Page<Device>> {
  const query = { limit: PAGE_SIZE, cursor, q, filter, group, include: 'latest' };
  return pageOf(await client.get('/devices', { query, signal }), 'devices', deviceFrom);
}

/** How many match. */
export async function countDevices(client: ApiClient, query: DeviceQuery, signal?: AbortSignal): Promise<number> {
  return number(
    asObject(await client.get('/devices', { query: { ...query, limit: 1, include: 'total' }, signal }), 'devices'),
    'total',
  );
}

export async function fetchDevice(client: ApiClient, id: string, signal?: AbortSignal): Promise<Device> {
  return deviceFrom(asObject(await client.get(pathOf(id), { signal }), 'device'));
}

export async function addDevice(
  client: ApiClient,
  draft: { readonly id: string; readonly name: string; readonly group: string },
): Promise<NewDevice> {
  const [name, group] = [draft.name.trim(), draft.group.trim()];
  const sent = { id: draft.id, ...(name !== '' && { name }), ...(group !== '' && { group }) };
  const body = asObject(await client.post('/devices', sent), 'device');
  return { id: text(body, 'id'), token: text(body, 'token') };
}

export async function updateDevice(client: ApiClient, id: string, patch: DevicePatch): Promise<Device> {
  return deviceFrom(asObject(await client.patch(pathOf(id), patch), 'device'));
}

export async function removeDevice(client: ApiClient, id: string): Promise<void> {
  await client.delete(pathOf(id));
}

function deviceFrom(source: Json): Device {
  return {
    id: text(source, 'id'),
    name: optionalText(source, 'name'),
    type: optionalText(source, 'type'),
    group: text(source, 'group'),
    attributes: asObject(source['attributes'] ?? {}, 'attributes'),
    tags: asArray(source['tags'] ?? [], 'tags').map(String),
    createdAtMs: number(source, 'createdAtMs'),
    updatedAtMs: number(source, 'updatedAtMs'),
    connectivity: source['connectivity'] === undefined ? undefined : connectivityFrom(source['connectivity']),
    latest: source['latest'] === undefined ? [] : latestFrom(source['latest']),
  };
}

function connectivityFrom(json: unknown): Connectivity {
  const source = asObject(json, 'connectivity');
  return {
    connected: truth(source, 'connected'),
    sinceMs: number(source, 'sinceMs'),
    lastSeenMs: number(source, 'lastSeenMs'),
    goneReason: optionalText(source, 'goneReason'),
  };
}

function pathOf(id: string): string {
  return `/devices/${encodeURIComponent(id)}`;
}
