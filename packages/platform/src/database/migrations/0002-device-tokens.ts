import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** One token for each device. */
export const deviceTokens: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('device_token')
      .addColumn('device_id', 'varchar(128)', (column) =>
        column.primaryKey().notNull().references('device.id').onDelete('cascade'),
      )
      .addColumn('token_hash', 'varchar(64)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
