import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Reports of the audit checks, and what they found. */
export const checks: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('check_report')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('started_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('finished_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('started_by', 'varchar(200)', (column) => column.notNull())
      .addColumn('outcomes', 'text', (column) => column.notNull())
      .execute();
    await database.schema
      .createTable('check_finding')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('report_id', 'integer', (column) => column.notNull().references('check_report.id').onDelete('cascade'))
      .addColumn('check_name', 'varchar(64)', (column) => column.notNull())
      .addColumn('severity', 'varchar(16)', (column) => column.notNull())
      .addColumn('object_kind', 'varchar(32)', (column) => column.notNull())
      .addColumn('object_id', 'varchar(256)', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('reason', 'varchar(1024)', (column) => column.notNull())
      .execute();
    await database.schema.createIndex('check_finding_by_report').on('check_finding').columns(['report_id', 'id']).execute();
  },
};
