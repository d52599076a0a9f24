import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** How long telemetry is kept, and what must not go. */
export const retention: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('retention_policy')
      .addColumn('name', 'varchar(64)', (column) => column.primaryKey())
      .addColumn('device_type', 'varchar(64)')
      .addColumn('group_path', 'varchar(512)')
      .addColumn('metric', 'varchar(256)')
      .addColumn('keep_days', 'text', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    // Before there were policies everything was kept: what somebody has counted on so is not let go by an upgrade.
    await sql`INSERT INTO retention_policy (name, keep_days, updated_at_ms)
      SELECT 'default', '{"raw":null,"hourly":null,"daily":null}', 0 FROM (SELECT id FROM device LIMIT 1) AS used`.execute(
      database,
    );
    await schema
      .createTable('legal_hold')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('target', 'varchar(512)', (column) => column.notNull())
      .addColumn('reason', 'varchar(1000)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('created_by', 'varchar(256)', (column) => column.notNull())
      .addColumn('released_at_ms', 'bigint')
      .addColumn('released_by', 'varchar(256)')
      .execute();
    await schema.createIndex('legal_hold_by_target').on('legal_hold').columns(['kind', 'target']).execute();
    await schema
      .createTable('legal_hold_device')
      .addColumn('hold_id', 'integer', (column) => column.notNull().references('legal_hold.id').onDelete('cascade'))
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull())
      .addPrimaryKeyConstraint('legal_hold_device_key', ['hold_id', 'device_id'])
      .execute();
    await schema.createIndex('legal_hold_device_by_device').on('legal_hold_device').columns(['device_id']).execute();
  },
};
