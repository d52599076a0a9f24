import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Why devices are gone, and of whom it was told that they are. */
export const presence: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema.alterTable('device_connectivity').addColumn('gone_reason', 'varchar(64)').execute();
    await schema
      .createTable('presence_alert')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull().references('device.id').onDelete('cascade'))
      .addColumn('kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('since_ms', 'bigint', (column) => column.notNull())
      .addColumn('reason', 'varchar(64)')
      .addColumn('losses', 'integer', (column) => column.notNull())
      .addColumn('raised_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('resolved_at_ms', 'bigint')
      .execute();
    await schema.createIndex('presence_alert_by_device').on('presence_alert').columns(['device_id', 'id']).execute();
    await schema.createIndex('presence_alert_by_end').on('presence_alert').columns(['resolved_at_ms', 'id']).execute();
  },
};
