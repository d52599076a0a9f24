import type { Database } from '../database/schema.ts';
import type { AccessFacts } from './policies/access-facts.ts';

/** What policies may ask of a device, as last committed; undefined: there is no such device. */
export async function readDeviceFacts(database: Database, deviceId: string, clientId: string): Promise<AccessFacts | undefined> {
  const row = await database
    .selectFrom('device')
    .innerJoin('device_group', 'device_group.id', 'device.group_id')
    .select(['device.type', 'device_group.path', 'device.attributes'])
    .where('device.id', '=', deviceId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { deviceId, clientId, type: row.type ?? undefined, group: row.path, attributes: readAttributes(row.attributes) };
}

function readAttributes(text: string): Readonly<Record<string, unknown>> {
  if (text === '{}') return {};
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
