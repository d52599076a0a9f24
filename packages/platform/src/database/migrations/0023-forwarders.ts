import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Who gets a copy of live telemetry, and by what secrets. */
export const forwarders: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('forwarder')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('definition', 'text', (column) => column.notNull())
      .addColumn('paused', 'integer', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('key_id', 'varchar(16)', (column) => column.notNull().references('data_key.id'))
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('forwarder_by_data_key').on('forwarder').columns(['key_id', 'id']).execute();
  },
};
