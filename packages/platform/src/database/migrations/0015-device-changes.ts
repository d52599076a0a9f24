import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What has happened to devices and groups, for those who follow the registry. */
export const deviceChanges: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('registry_change')
      .addColumn('sequence', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('subject', 'varchar(1024)', (column) => column.notNull())
      .addColumn('moved_to', 'varchar(1024)')
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
