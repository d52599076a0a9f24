import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Keys by which programs sign their requests (AWS Signature V4): the secret must be known to check one, so it is kept sealed. */
export const accessKeys: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('access_key')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('name', 'varchar(200)', (column) => column.notNull())
      .addColumn('device_id', 'varchar(128)', (column) => column.references('device.id').onDelete('cascade'))
      .addColumn('group_path', 'varchar(512)', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('key_id', 'varchar(16)', (column) => column.notNull().references('data_key.id'))
      .addColumn('disabled', 'integer', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint')
      .addColumn('used_at_ms', 'bigint')
      .addColumn('used_service', 'varchar(64)')
      .execute();
    await schema.createIndex('access_key_by_data_key').on('access_key').columns(['key_id', 'id']).execute();
    await schema.createIndex('access_key_by_device').on('access_key').column('device_id').execute();
    await schema.createIndex('access_key_by_time').on('access_key').columns(['created_at_ms', 'id']).execute();
  },
};
