import type { Database } from '../database/schema.ts';
import { contextOf as placeOfDeviceSecret } from './device-secrets.ts';
import type { SealContext } from './sealed-value.ts';
import { accessKeyPlace, forwarderPlace } from './sealer.ts';

/** A sealed value as it stands in a row that names its data key. */
export interface SealedRow {
  /** Says where the next page begins. */
  readonly at: readonly string[];
  readonly sealed: string;
  readonly place: SealContext;
}

/** A table with a sealed value in each row. */
export interface SealedRows {
  /** For lines of the log. */
  readonly what: string;
  /** Those that are sealed with another key than this. */
  count(database: Database, keyId: string): Promise<number>;
  /** Some of them, in order. @param after the `at` of the last one of the page before; empty: from the beginning */
  page(database: Database, keyId: string, after: readonly string[], limit: number): Promise<readonly SealedRow[]>;
  /** Only where it is still the value that was read: whoever has set it meanwhile is not overwritten. */
  replace(database: Database, row: SealedRow, anew: { readonly sealed: string; readonly keyId: string }): Promise<void>;
  /** Whether anything is sealed with this key. */
  uses(database: Database, keyId: string): Promise<boolean>;
}

const DEVICE_SECRETS: SealedRows = {
  what: 'secrets of devices',
  async count(database, keyId) {
    const { count } = await database
      .selectFrom('device_secret')
      .select((builder) => builder.fn.countAll().as('count'))
      .where('key_id', '!=', keyId)
      .executeTakeFirstOrThrow();
    return Number(count);
  },
  async page(database, keyId, [device = '', name = ''], limit) {
    const rows = await database
      .selectFrom('device_secret')
      .select(['device_id', 'name', 'sealed'])
      .where('key_id', '!=', keyId)
      .where((builder) =>
        builder.or([
          builder('device_id', '>', device),
          builder.and([builder('device_id', '=', device), builder('name', '>', name)]),
        ]),
      )
      .orderBy('device_id')
      .orderBy('name')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      at: [row.device_id, row.name],
      sealed: row.sealed,
      place: placeOfDeviceSecret(row.device_id, row.name),
    }));
  },
  async replace(database, { at: [device = '', name = ''], sealed }, anew) {
    await database
      .updateTable('device_secret')
      .set({ sealed: anew.sealed, key_id: anew.keyId })
      .where('device_id', '=', device)
      .where('name', '=', name)
      .where('sealed', '=', sealed)
      .execute();
  },
  async uses(database, keyId) {
    const row = await database.selectFrom('device_secret').select('name').where('key_id', '=', keyId).limit(1).executeTakeFirst();
    return row !== undefined;
  },
};

/** A table with one sealed value a row, and `id` as its key. */
function rowsById(table: 'access_key' | 'forwarder', what: string, placeOf: (id: string) => SealContext): SealedRows {
  return {
    what,
    async count(database, keyId) {
      const { count } = await database
        .selectFrom(table)
        .select((builder) => builder.fn.countAll().as('count'))
        .where('key_id', '!=', keyId)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async page(database, keyId, [after = ''], limit) {
      const rows = await database
        .selectFrom(table)
        .select(['id', 'sealed'])
        .where('key_id', '!=', keyId)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(({ id, sealed }) => ({ at: [id], sealed, place: placeOf(id) }));
    },
    async replace(database, { at: [id = ''], sealed }, anew) {
      await database
        .updateTable(table)
        .set({ sealed: anew.sealed, key_id: anew.keyId })
        .where('id', '=', id)
        .where('sealed', '=', sealed)
        .execute();
    },
    async uses(database, keyId) {
      const row = await database.selectFrom(table).select('id').where('key_id', '=', keyId).limit(1).executeTakeFirst();
      return row !== undefined;
    },
  };
}

/** All of them. */
export const SEALED_ROWS: readonly SealedRows[] = [
  DEVICE_SECRETS,
  rowsById('access_key', 'access keys', accessKeyPlace),
  rowsById('forwarder', 'secrets of forwarders', forwarderPlace),
];
