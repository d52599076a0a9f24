import type { ApiClient } from './client.ts';
import { asObject, number, objects, text } from './json.ts';

/** The ids of the fleets that the caller sees, in their order. */
export async function fetchFleets(client: ApiClient, signal?: AbortSignal): Promise<readonly string[]> {
  return objects(asObject(await client.get('/fleets', { signal }), 'fleets'), 'items', (fleet) => text(fleet, 'id'));
}

/** How many members a fleet has. */
export async function countFleet(client: ApiClient, id: string, signal?: AbortSignal): Promise<number> {
  return number(asObject(await client.get(`/fleets/${encodeURIComponent(id)}`, { signal }), 'fleet'), 'devices');
}
