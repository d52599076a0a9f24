import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How payloads are read, where somebody has declared it; and whose a token is, for devices that name nothing else. */
export const decoders: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('decoder')
      .addColumn('name', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('definition', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('device_token_by_hash').on('device_token').column('token_hash').execute();
  },
};
