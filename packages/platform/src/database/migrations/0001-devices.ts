import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Devices and their tags. */
export const devices: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('device')
      .addColumn('id', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('name', 'varchar(200)')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('device_tag')
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull().references('device.id').onDelete('cascade'))
      .addColumn('tag', 'varchar(64)', (column) => column.notNull())
      .addPrimaryKeyConstraint('device_tag_key', ['device_id', 'tag'])
      .execute();
    await database.schema.createIndex('device_tag_by_tag').on('device_tag').columns(['tag', 'device_id']).execute();
  },
};
