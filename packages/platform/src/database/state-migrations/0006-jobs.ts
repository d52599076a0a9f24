import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Jobs, the devices that they wait for, and their executions. */
export const jobs: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema
      .createTable('job')
      .addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('id', 'varchar(64)', (column) => column.notNull())
      .addColumn('group_path', 'varchar(512)', (column) => column.notNull())
      .addColumn('status', 'varchar(32)', (column) => column.notNull())
      .addColumn('selection', 'varchar(16)', (column) => column.notNull())
      .addColumn('targets', 'text', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('description', 'text')
      .addColumn('config', 'text', (column) => column.notNull())
      .addColumn('in_progress_timeout_ms', 'bigint')
      .addColumn('progress', 'text', (column) => column.notNull())
      .addColumn('next_at_ms', 'bigint')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('completed_at_ms', 'bigint')
      .execute();
    await schema.createIndex('job_by_id').unique().on('job').column('id').execute();
    await schema.createIndex('job_by_status').on('job').columns(['status', 'number']).execute();
    await schema.createIndex('job_by_next').on('job').column('next_at_ms').execute();
    await schema
      .createTable('job_count')
      .addColumn('job', 'bigint', (column) => column.notNull())
      .addColumn('status', 'integer', (column) => column.notNull())
      .addColumn('executions', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('job_count_key', ['job', 'status'])
      .execute();
    await schema
      .createTable('job_waiting')
      .addColumn('job', 'bigint', (column) => column.notNull())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('ready_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('job_waiting_key', ['job', 'device'])
      .execute();
    await schema.createIndex('job_waiting_by_time').on('job_waiting').columns(['job', 'ready_at_ms', 'device']).execute();
    await schema.createIndex('job_waiting_by_device').on('job_waiting').column('device').execute();
    await schema
      .createTable('job_execution')
      .addColumn('job', 'bigint', (column) => column.notNull())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('number', 'integer', (column) => column.notNull())
      .addColumn('status', 'integer', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('attempt', 'integer', (column) => column.notNull())
      .addColumn('queued_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('started_at_ms', 'bigint')
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('deadline_ms', 'bigint')
      .addColumn('step_deadline_ms', 'bigint')
      .addColumn('details', 'text')
      .addColumn('device_removed', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('job_execution_key', ['job', 'device', 'number'])
      .execute();
    await schema
      .createIndex('job_execution_by_status')
      .on('job_execution')
      .columns(['job', 'status', 'device', 'number'])
      .execute();
    await schema.createIndex('job_execution_by_device').on('job_execution').columns(['device', 'status']).execute();
    await schema
      .createTable('job_execution_event')
      .addColumn('job', 'bigint', (column) => column.notNull())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('number', 'integer', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('status', 'integer', (column) => column.notNull())
      .addColumn('cause', 'varchar(16)', (column) => column.notNull())
      .addColumn('details', 'text')
      .addPrimaryKeyConstraint('job_execution_event_key', ['job', 'device', 'number', 'version'])
      .execute();
    await schema
      .createTable('job_timer')
      .addColumn('job', 'bigint', (column) => column.notNull())
      .addColumn('device', 'varchar(128)', (column) => column.notNull())
      .addColumn('number', 'integer', (column) => column.notNull())
      .addColumn('due_at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('job_timer_key', ['job', 'device', 'number'])
      .execute();
    await schema.createIndex('job_timer_by_due').on('job_timer').column('due_at_ms').execute();
  },
};
