import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The append-only trail of changes. */
export const auditTrail: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('audit_entry')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('actor_kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('actor_id', 'varchar(200)', (column) => column.notNull())
      .addColumn('actor_name', 'varchar(200)', (column) => column.notNull())
      .addColumn('remote_address', 'varchar(64)')
      .addColumn('action', 'varchar(64)', (column) => column.notNull())
      .addColumn('object_kind', 'varchar(32)', (column) => column.notNull())
      .addColumn('object_id', 'varchar(256)', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('before', 'text')
      .addColumn('after', 'text')
      .execute();
    await database.schema
      .createIndex('audit_entry_by_object')
      .on('audit_entry')
      .columns(['object_kind', 'object_id', 'id'])
      .execute();
    await database.schema
      .createIndex('audit_entry_by_actor')
      .on('audit_entry')
      .columns(['actor_kind', 'actor_id', 'id'])
      .execute();
  },
};
