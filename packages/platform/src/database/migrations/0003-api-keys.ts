import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** API keys besides the administrator's, which the configuration gives. */
export const apiKeys: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('api_key')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('name', 'varchar(200)', (column) => column.notNull())
      .addColumn('access', 'varchar(16)', (column) => column.notNull())
      .addColumn('key_hash', 'varchar(64)', (column) => column.notNull().unique())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
