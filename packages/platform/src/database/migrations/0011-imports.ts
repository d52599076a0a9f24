import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Imports of devices, with the place that each has come to, and the rows that each refused. */
export const imports: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('device_import')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('format', 'varchar(8)', (column) => column.notNull())
      .addColumn('mode', 'varchar(8)', (column) => column.notNull())
      .addColumn('dry_run', 'integer', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)')
      .addColumn('name', 'varchar(256)')
      .addColumn('size_bytes', 'bigint')
      .addColumn('fingerprint', 'varchar(64)')
      .addColumn('state', 'varchar(8)', (column) => column.notNull())
      .addColumn('header', 'text')
      .addColumn('position', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('in_long_line', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('rows', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('created', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('updated', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('unchanged', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('refused', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('actor_kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('actor_id', 'varchar(200)', (column) => column.notNull())
      .addColumn('actor_name', 'varchar(200)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('finished_at_ms', 'bigint')
      .execute();
    await schema.createIndex('device_import_by_creation').on('device_import').columns(['created_at_ms', 'id']).execute();
    await schema
      .createTable('device_import_refusal')
      .addColumn('import_id', 'varchar(32)', (column) => column.notNull().references('device_import.id').onDelete('cascade'))
      .addColumn('row', 'bigint', (column) => column.notNull())
      .addColumn('device_id', 'varchar(128)')
      .addColumn('field', 'varchar(128)')
      .addColumn('code', 'varchar(64)', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('device_import_refusal_key', ['import_id', 'row'])
      .execute();
  },
};
