import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database } from '../database/schema.ts';
import type { AccessFacts } from './policies/access-facts.ts';

/** What policies may ask of devices, as last committed. */
export class DeviceFacts {
  readonly #byId: PreparedLookup<{ readonly type: string | null; readonly path: string; readonly attributes: string }>;

  /** @param database may be a read-only connection of this thread. */
  constructor(database: Database) {
    this.#byId = new PreparedLookup(database, (id) =>
      database
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select(['device.type', 'device_group.path', 'device.attributes'])
        .where('device.id', '=', id),
    );
  }

  /** Undefined: there is no such device. */
  async of(deviceId: string, clientId: string): Promise<AccessFacts | undefined> {
    const [row] = await this.#byId.find(deviceId);
    if (row === undefined) return undefined;
    return { deviceId, clientId, type: row.type ?? undefined, group: row.path, attributes: readAttributes(row.attributes) };
  }
}

function readAttributes(text: string): Readonly<Record<string, unknown>> {
  if (text === '{}') return {};
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
