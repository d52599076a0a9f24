import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Tokens by which devices enrol over HTTP. */
export const provisioningTokens: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('provisioning_token')
      .addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('id', 'varchar(32)', (column) => column.notNull())
      .addColumn('token_hash', 'varchar(64)', (column) => column.notNull())
      .addColumn('template', 'varchar(128)', (column) => column.notNull())
      .addColumn('batch', 'varchar(128)')
      .addColumn('serial', 'varchar(128)')
      .addColumn('max_count', 'integer', (column) => column.notNull())
      .addColumn('enrolled', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('rate_per_minute', 'integer', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('stopped_at_ms', 'bigint')
      .execute();
    await schema.createIndex('provisioning_token_by_id').unique().on('provisioning_token').column('id').execute();
    await schema.createIndex('provisioning_token_by_hash').unique().on('provisioning_token').column('token_hash').execute();
    await schema.createIndex('provisioning_token_by_template').on('provisioning_token').columns(['template', 'batch']).execute();
    await schema.createIndex('provisioning_token_by_expiry').on('provisioning_token').column('expires_at_ms').execute();
  },
};
