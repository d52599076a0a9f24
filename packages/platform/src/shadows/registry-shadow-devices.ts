import type { Database } from '../database/schema.ts';
import { PreparedFind } from '../database/prepared-rows.ts';
import type { Schema } from '../database/schema.ts';
import type { ShadowDevice, ShadowDevices } from './shadow-hooks.ts';

interface Row {
  readonly id: string;
  readonly type: string | null;
  readonly path: string;
}

/** Looks devices up in the registry. */
export class RegistryShadowDevices implements ShadowDevices {
  readonly #database: Database;
  readonly #find: PreparedFind<Schema, Row>;

  constructor(database: Database) {
    this.#database = database;
    this.#find = new PreparedFind((keys) =>
      database
        .selectFrom('device')
        .innerJoin('device_group', 'device_group.id', 'device.group_id')
        .select(['device.id', 'device.type', 'device_group.path'])
        .where(
          'device.id',
          'in',
          Array.from({ length: keys }, () => ''),
        )
        .compile(),
    );
  }

  async find(devices: readonly string[]): Promise<ReadonlyMap<string, ShadowDevice>> {
    const found = new Map<string, ShadowDevice>();
    for (const { id, type, path } of await this.#find.find(this.#database, devices)) {
      found.set(id, { type: type ?? undefined, group: path });
    }
    return found;
  }
}
