import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Positions in streams, and changes on their way to the audit trail. */
export const state: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('state_position')
      .addColumn('stream', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('position', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('state_audit')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('change', 'text', (column) => column.notNull())
      .execute();
  },
};
