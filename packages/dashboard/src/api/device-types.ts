import type { ApiClient } from './client.ts';
import { asObject, objects, text } from './json.ts';

/** The names of all device types, in their order. */
export async function fetchDeviceTypes(client: ApiClient, signal?: AbortSignal): Promise<readonly string[]> {
  return objects(asObject(await client.get('/device-types', { signal }), 'device types'), 'items', (type) => text(type, 'name'));
}
