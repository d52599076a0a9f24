import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const commands: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('command')
      .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
      .addColumn('number', 'bigint', (column) => column.notNull())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('name', 'varchar(128)', (column) => column.notNull())
      .addColumn('payload', 'text')
      .addColumn('one_way', 'integer', (column) => column.notNull())
      .addColumn('state', 'varchar(16)', (column) => column.notNull())
      .addColumn('sends', 'integer', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('send_until_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('deadline_ms', 'bigint')
      .addColumn('finished_at_ms', 'bigint')
      .addColumn('reason', 'varchar(1024)')
      .addColumn('history', 'text', (column) => column.notNull())
      .addColumn('progress', 'text')
      .addColumn('answer', 'text')
      .addColumn('late_answer', 'text')
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('idempotency_key', 'varchar(128)')
      .addColumn('request_hash', 'varchar(64)')
      .execute();
    await schema.createIndex('command_by_number').on('command').column('number').unique().execute();
    await schema.createIndex('command_by_device').on('command').columns(['device', 'id']).execute();
    await schema.createIndex('command_by_state').on('command').columns(['state', 'id']).execute();
    await schema.createIndex('command_by_name').on('command').columns(['name', 'id']).execute();
    await schema
      .createIndex('command_open')
      .on('command')
      .columns(['device', 'id'])
      .where('deadline_ms' as never, 'is not', null)
      .execute();
    await schema
      .createIndex('command_by_deadline')
      .on('command')
      .column('deadline_ms')
      .where('deadline_ms' as never, 'is not', null)
      .execute();
    await schema
      .createIndex('command_by_finish')
      .on('command')
      .column('finished_at_ms')
      .where('finished_at_ms' as never, 'is not', null)
      .execute();
    await schema
      .createIndex('command_by_key')
      .on('command')
      .columns(['device', 'idempotency_key'])
      .unique()
      .where('idempotency_key' as never, 'is not', null)
      .execute();
    await schema
      .createTable('command_purge')
      .addColumn('device', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('before_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('request_hook')
      .addColumn('method', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('url', 'varchar(2048)', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
  },
};
