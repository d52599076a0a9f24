import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Searchable fields of shadows; how shadows of edges are merged, and what came of it. */
export const shadowSearch: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('shadow_field')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('field', 'varchar(600)', (column) => column.notNull().unique())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('filled_to', 'bigint')
      .execute();
    await schema
      .createTable('shadow_field_value')
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('field_id', 'bigint', (column) => column.notNull())
      .addColumn('value', 'text')
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('shadow_field_value_key', ['device', 'field_id'])
      .execute();
    await schema.createIndex('shadow_field_value_by_sequence').on('shadow_field_value').column('sequence').unique().execute();
    await schema
      .createTable('shadow_merge_policy')
      .addColumn('device_type', 'varchar(64)', (column) => column.notNull())
      .addColumn('shadow', 'varchar(64)', (column) => column.notNull())
      .addColumn('policy', 'varchar(16)', (column) => column.notNull())
      .addColumn('script', 'text')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('shadow_merge_policy_key', ['device_type', 'shadow'])
      .execute();
    await schema
      .createTable('shadow_conflict')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('shadow', 'varchar(64)', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('replica', 'varchar(64)', (column) => column.notNull())
      .addColumn('conflicts', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('shadow_conflict_by_shadow').on('shadow_conflict').columns(['device', 'shadow', 'id']).execute();
    await schema.createIndex('shadow_conflict_by_time').on('shadow_conflict').column('at_ms').execute();
  },
};
