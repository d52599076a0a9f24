import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Data keys, wrapped by a master key, and what is sealed with them. The values that there are get sealed at the start of the server. */
export const secrets: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('data_key')
      .addColumn('id', 'varchar(16)', (column) => column.primaryKey().notNull())
      .addColumn('master_id', 'varchar(256)', (column) => column.notNull())
      .addColumn('wrapped', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('retired_at_ms', 'bigint')
      .execute();
    await schema.alterTable('server_secret').addColumn('sealed', 'text').execute();
    await schema
      .createTable('device_secret')
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull().references('device.id').onDelete('cascade'))
      .addColumn('name', 'varchar(64)', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('key_id', 'varchar(16)', (column) => column.notNull().references('data_key.id'))
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('device_secret_key', ['device_id', 'name'])
      .execute();
    await schema.createIndex('device_secret_by_key').on('device_secret').columns(['key_id', 'device_id', 'name']).execute();
  },
};
