import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Templates, claim batches, manifests, and what came of them. */
export const provisioning: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('provisioning_template')
      .addColumn('name', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('definition', 'text', (column) => column.notNull())
      .addColumn('enabled', 'integer', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('claim_batch')
      .addColumn('name', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('template', 'varchar(128)', (column) => column.notNull().references('provisioning_template.name'))
      .addColumn('max_count', 'bigint', (column) => column.notNull())
      .addColumn('rate_per_minute', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('enrolled', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('stopped_at_ms', 'bigint')
      .execute();
    await schema.createIndex('claim_batch_by_template').on('claim_batch').columns(['template']).execute();
    // Of a million certificates only few are claims.
    await schema
      .createIndex('certificate_by_claim_batch')
      .on('certificate')
      .columns(['claim_batch'])
      .where('claim_batch' as never, 'is not', null)
      .execute();
    await schema
      .createTable('manifest_entry')
      .addColumn('template', 'varchar(128)', (column) => column.notNull())
      .addColumn('serial', 'varchar(128)', (column) => column.notNull())
      .addColumn('batch', 'varchar(128)')
      .addColumn('key_hash', 'varchar(64)')
      .addColumn('proof_hash', 'varchar(64)')
      .addColumn('added_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('used_at_ms', 'bigint')
      .addPrimaryKeyConstraint('manifest_entry_key', ['template', 'serial'])
      .execute();
    await schema
      .createTable('certificate_ownership')
      .addColumn('token_hash', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('certificate_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('asker', 'varchar(160)', (column) => column.notNull())
      .addColumn('claim_batch', 'varchar(128)')
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('remote_address', 'varchar(64)', (column) => column.notNull())
      .addColumn('steps', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('used_at_ms', 'bigint')
      .execute();
    await schema.createIndex('certificate_ownership_by_age').on('certificate_ownership').columns(['created_at_ms']).execute();
    await schema
      .createTable('enrolment_quarantine')
      .addColumn('template', 'varchar(128)', (column) => column.notNull())
      .addColumn('serial', 'varchar(128)', (column) => column.notNull())
      .addColumn('device_id', 'varchar(128)', (column) => column.notNull())
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('status', 'varchar(16)', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('door', 'varchar(16)', (column) => column.notNull())
      .addColumn('claim_batch', 'varchar(128)')
      .addColumn('client_id', 'text')
      .addColumn('remote_address', 'varchar(64)')
      .addColumn('attempts', 'bigint', (column) => column.notNull())
      .addColumn('first_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('last_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('resolved_at_ms', 'bigint')
      .addColumn('resolved_by', 'varchar(256)')
      .addPrimaryKeyConstraint('enrolment_quarantine_key', ['template', 'serial'])
      .execute();
    await schema
      .createIndex('enrolment_quarantine_by_status')
      .on('enrolment_quarantine')
      .columns(['status', 'last_at_ms'])
      .execute();
    await schema
      .createTable('enrolment_attempt')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('door', 'varchar(16)', (column) => column.notNull())
      .addColumn('outcome', 'varchar(16)', (column) => column.notNull())
      .addColumn('reason', 'varchar(32)')
      .addColumn('template', 'varchar(128)')
      .addColumn('serial', 'varchar(128)')
      .addColumn('device_id', 'varchar(128)')
      .addColumn('certificate_id', 'varchar(64)')
      .addColumn('claim_batch', 'varchar(128)')
      .addColumn('client_id', 'text')
      .addColumn('remote_address', 'varchar(64)')
      .addColumn('group_path', 'varchar(1024)', (column) => column.notNull())
      .addColumn('steps', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('enrolment_attempt_by_serial').on('enrolment_attempt').columns(['serial', 'id']).execute();
    await schema.createIndex('enrolment_attempt_by_device').on('enrolment_attempt').columns(['device_id', 'id']).execute();
    await schema.createIndex('enrolment_attempt_by_outcome').on('enrolment_attempt').columns(['outcome', 'id']).execute();
  },
};
