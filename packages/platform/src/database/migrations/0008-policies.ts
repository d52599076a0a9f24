import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** As it was at this time: a migration does not change when the program does. */
const DEVICE_DEFAULT = {
  statements: [
    { effect: 'allow', actions: ['connect'] },
    {
      effect: 'allow',
      actions: ['publish', 'retain', 'subscribe', 'receive'],
      topics: ['telemetry/${device.id}', 'devices/${device.id}/#', '$aws/things/${device.id}/#'],
    },
    {
      effect: 'allow',
      actions: ['publish'],
      topics: ['$aws/certificates/create/+', '$aws/certificates/create-from-csr/+', '$aws/provisioning-templates/+/provision/+'],
    },
    {
      effect: 'allow',
      actions: ['subscribe', 'receive'],
      topics: ['$aws/certificates/create/#', '$aws/certificates/create-from-csr/#', '$aws/provisioning-templates/+/provision/#'],
    },
  ],
};

interface Tables {
  policy: { name: string; description: string; document: string; created_at_ms: number; updated_at_ms: number };
  policy_attachment: { policy_name: string; target_kind: string; target_id: string };
  access_version: { id: number; version: number };
}

/** Policies. All devices have the first one by the root group: their own topics, as it was before there were policies. */
export const policies: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('policy')
      .addColumn('name', 'varchar(128)', (column) => column.primaryKey().notNull())
      .addColumn('description', 'varchar(1024)', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('policy_attachment')
      .addColumn('policy_name', 'varchar(128)', (column) => column.notNull().references('policy.name').onDelete('cascade'))
      .addColumn('target_kind', 'varchar(16)', (column) => column.notNull())
      .addColumn('target_id', 'varchar(512)', (column) => column.notNull())
      .addPrimaryKeyConstraint('policy_attachment_key', ['target_kind', 'target_id', 'policy_name'])
      .execute();
    await schema.createIndex('policy_attachment_by_policy').on('policy_attachment').columns(['policy_name']).execute();
    await schema
      .createTable('access_version')
      .addColumn('id', 'integer', (column) => column.primaryKey().notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .execute();
    // A migration knows the tables only as they were at its time.
    const tables = database as Kysely<Tables>;
    await tables.insertInto('access_version').values({ id: 1, version: 1 }).execute();
    const document = JSON.stringify(DEVICE_DEFAULT);
    const description = 'A device may use its own topics, and no others.';
    await tables
      .insertInto('policy')
      .values({ name: 'device-default', description, document, created_at_ms: 0, updated_at_ms: 0 })
      .execute();
    await tables
      .insertInto('policy_attachment')
      .values({ policy_name: 'device-default', target_kind: 'group', target_id: '/' })
      .execute();
  },
};
