import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Shadows, and what has happened to them. */
export const shadows: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('shadow')
      .addColumn('id', 'integer', (column) => column.primaryKey().notNull())
      .addColumn('path', 'varchar(193)', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('history_id', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('deleted_at_ms', 'bigint')
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('details', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('shadow_path').on('shadow').column('path').unique().execute();
    await schema
      .createIndex('shadow_deleted')
      .on('shadow')
      .column('deleted_at_ms')
      .where('deleted_at_ms', 'is not', null)
      .execute();
    await schema
      .createTable('shadow_history')
      .addColumn('id', 'integer', (column) => column.primaryKey().notNull())
      .addColumn('shadow_id', 'bigint', (column) => column.notNull())
      .addColumn('previous', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('author', 'text', (column) => column.notNull())
      .addColumn('change', 'text', (column) => column.notNull())
      .execute();
  },
};
