import type { DeviceTypes } from '../archive/device-types.ts';
import type { DevicesOfType } from '../columnar/parquet-files.ts';
import type { Database } from '../database/schema.ts';
import { chunksOf } from '../registry/statement-chunks.ts';

const PAGE = 5_000;

/** The types of devices, as the registry has them. */
export class RegistryDeviceTypes implements DeviceTypes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async *all(): AsyncGenerator<DevicesOfType> {
    for (let after = ''; ;) {
      const rows = await this.#database
        .selectFrom('device')
        .select(['id', 'type'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(PAGE)
        .execute();
      for (const [type, typed] of Map.groupBy(rows, ({ type: of }) => of)) {
        if (type !== null) yield { type, devices: typed.map(({ id }) => id) };
      }
      if (rows.length < PAGE) return;
      after = rows.at(-1)!.id;
    }
  }

  async of(devices: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const types = new Map<string, string>();
    for (const ids of chunksOf(devices)) {
      const rows = await this.#database.selectFrom('device').select(['id', 'type']).where('id', 'in', ids).execute();
      for (const { id, type } of rows) if (type !== null) types.set(id, type);
    }
    return types;
  }
}
