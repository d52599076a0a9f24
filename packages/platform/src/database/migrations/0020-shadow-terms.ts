import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The fields of shadows by which devices are found, and what devices have in them. */
export const shadowTerms: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('shadow_field')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('state_id', 'bigint', (column) => column.notNull())
      .addColumn('field', 'varchar(256)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('dropped', 'integer', (column) => column.notNull())
      .execute();
    await schema
      .createTable('device_shadow_value')
      .addColumn('field_id', 'bigint', (column) => column.notNull())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('device_shadow_value_key', ['field_id', 'number'])
      .execute();
    await schema
      .createTable('waiting_shadow_value')
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull())
      .addColumn('field_id', 'bigint', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('waiting_shadow_value_key', ['device_id', 'field_id'])
      .execute();
    await sql`insert into registry_counter (name, value) values ('shadow-values', 0)`.execute(database);
  },
};
