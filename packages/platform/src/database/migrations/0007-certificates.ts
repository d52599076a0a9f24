import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Authorities, and the certificates that they signed. */
export const certificates: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('authority')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('status', 'varchar(16)', (column) => column.notNull())
      .addColumn('subject', 'varchar(1024)', (column) => column.notNull())
      .addColumn('key_id', 'varchar(128)', (column) => column.notNull())
      .addColumn('der', 'blob', (column) => column.notNull())
      .addColumn('not_before_ms', 'bigint', (column) => column.notNull())
      .addColumn('not_after_ms', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('template', 'varchar(128)')
      .addColumn('revoked_at_ms', 'bigint')
      .addColumn('crl_number', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await schema.createIndex('authority_by_key').on('authority').columns(['key_id']).execute();
    await schema
      .createTable('authority_registration')
      .addColumn('code', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('certificate')
      .addColumn('id', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('device_id', 'varchar(128)')
      .addColumn('purpose', 'varchar(16)', (column) => column.notNull())
      .addColumn('status', 'varchar(16)', (column) => column.notNull())
      .addColumn('authority_id', 'varchar(64)', (column) => column.notNull())
      .addColumn('serial', 'varchar(64)', (column) => column.notNull())
      .addColumn('subject', 'varchar(1024)', (column) => column.notNull())
      .addColumn('key_hash', 'varchar(64)', (column) => column.notNull())
      .addColumn('key_kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('not_before_ms', 'bigint', (column) => column.notNull())
      .addColumn('not_after_ms', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('activated_at_ms', 'bigint')
      .addColumn('first_used_at_ms', 'bigint')
      .addColumn('revoked_at_ms', 'bigint')
      .addColumn('revocation_reason', 'varchar(32)')
      .addColumn('claim_batch', 'varchar(128)')
      .addColumn('due_ms', 'bigint')
      .addColumn('der', 'blob', (column) => column.notNull())
      .execute();
    await schema.createIndex('certificate_by_device').on('certificate').columns(['device_id', 'created_at_ms']).execute();
    await schema.createIndex('certificate_by_end').on('certificate').columns(['status', 'not_after_ms']).execute();
    await schema.createIndex('certificate_by_creation').on('certificate').columns(['created_at_ms']).execute();
    await schema.createIndex('certificate_by_serial').on('certificate').columns(['serial']).execute();
    // Few certificates are ever in it.
    await schema
      .createIndex('certificate_by_revocation')
      .on('certificate')
      .columns(['authority_id', 'revoked_at_ms'])
      .where('revoked_at_ms', 'is not', null)
      .execute();
    await schema
      .createIndex('certificate_by_due')
      .on('certificate')
      .columns(['due_ms'])
      .where('due_ms', 'is not', null)
      .execute();
  },
};
