import type { ApiClient } from './client.ts';
import { asArray, asObject, number, optionalText, text } from './json.ts';
import { latestFrom, type LatestValue } from './telemetry.ts';

export interface Device {
  readonly id: string;
  readonly name: string | undefined;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  /** Empty where it was not asked for. */
  readonly latest: readonly LatestValue[];
}

export interface DevicePage {
  readonly items: readonly Device[];
  readonly cursor: string | undefined;
  readonly total: number | undefined;
}

export interface NewDevice {
  readonly id: string;
  readonly token: string;
}

export const PAGE_SIZE = 50;
/** The same rule as the server's, to say it before asking. */
export const DEVICE_ID_PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;

export async function fetchDevices(
  client: ApiClient,
  query: { readonly q: string; readonly cursor: string | undefined },
  signal?: AbortSignal,
): Promise<DevicePage> {
  const q = query.q === '' ? undefined : query.q;
  const body = asObject(
    await client.get('/devices', { query: { limit: PAGE_SIZE, cursor: query.cursor, q, include: 'latest,total' }, signal }),
    'devices',
  );
  return {
    items: asArray(body['items'], 'items').map(deviceFrom),
    cursor: optionalText(body, 'cursor'),
    total: body['total'] === undefined ? undefined : number(body, 'total'),
  };
}

export async function fetchDevice(client: ApiClient, id: string, signal?: AbortSignal): Promise<Device> {
  return deviceFrom(await client.get(`/devices/${encodeURIComponent(id)}`, { signal }));
}

export async function addDevice(client: ApiClient, draft: { readonly id: string; readonly name: string }): Promise<NewDevice> {
  const name = draft.name.trim();
  const body = asObject(await client.post('/devices', name === '' ? { id: draft.id } : { id: draft.id, name }), 'device');
  return { id: text(body, 'id'), token: text(body, 'token') };
}

export async function removeDevice(client: ApiClient, id: string): Promise<void> {
  await client.delete(`/devices/${encodeURIComponent(id)}`);
}

function deviceFrom(json: unknown): Device {
  const source = asObject(json, 'device');
  return {
    id: text(source, 'id'),
    name: optionalText(source, 'name'),
    tags: asArray(source['tags'] ?? [], 'tags').map(String),
    createdAtMs: number(source, 'createdAtMs'),
    latest: source['latest'] === undefined ? [] : latestFrom(source['latest']),
  };
}
