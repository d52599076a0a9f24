import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Shadow defaults of groups and types, and updates of the shadows of many devices. */
export const shadowFleet: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('shadow_default')
      .addColumn('kind', 'varchar(8)', (column) => column.notNull())
      .addColumn('target', 'varchar(64)', (column) => column.notNull())
      .addColumn('shadow', 'varchar(64)', (column) => column.notNull())
      .addColumn('desired', 'text', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('shadow_default_key', ['kind', 'target', 'shadow'])
      .execute();
    await schema
      .createTable('shadow_update')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('state', 'varchar(16)', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('shadow', 'varchar(64)', (column) => column.notNull())
      .addColumn('desired', 'text', (column) => column.notNull())
      .addColumn('expected_version', 'bigint')
      .addColumn('rate_per_sec', 'integer', (column) => column.notNull())
      .addColumn('scope', 'text', (column) => column.notNull())
      .addColumn('seen_in', 'text', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('total', 'bigint', (column) => column.notNull())
      .addColumn('done', 'bigint', (column) => column.notNull())
      .addColumn('unchanged', 'bigint', (column) => column.notNull())
      .addColumn('failed', 'bigint', (column) => column.notNull())
      .addColumn('cursor', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('finished_at_ms', 'bigint')
      .execute();
    await schema.createIndex('shadow_update_by_state').on('shadow_update').columns(['state', 'id']).execute();
    await schema
      .createTable('shadow_update_block')
      .addColumn('update_id', 'varchar(64)', (column) => column.notNull().references('shadow_update.id').onDelete('cascade'))
      .addColumn('block', 'bigint', (column) => column.notNull())
      .addColumn('bits', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('shadow_update_block_key', ['update_id', 'block'])
      .execute();
    await schema
      .createTable('shadow_update_failure')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('update_id', 'varchar(64)', (column) => column.notNull().references('shadow_update.id').onDelete('cascade'))
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('code', 'varchar(64)', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createIndex('shadow_update_failure_by_update')
      .on('shadow_update_failure')
      .columns(['update_id', 'id'])
      .execute();
  },
};
