import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const SEAL_KEY_BYTES = 32;

/**
 * Users, their sessions, roles, and who has which role where. API keys of before get the role that they had the rights of, at
 * the root.
 */
export const people: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await createUsers(database);
    await createRoles(database);
    await extendKeys(database);
    await (database as Kysely<{ server_secret: { name: string; value: string } }>)
      .insertInto('server_secret')
      .values({ name: 'api-seal', value: randomBytes(SEAL_KEY_BYTES).toString('base64url') })
      .execute();
  },
};

async function createUsers({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('user_account')
    .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
    .addColumn('name', 'varchar(128)', (column) => column.notNull().unique())
    .addColumn('display_name', 'varchar(200)')
    .addColumn('group_path', 'varchar(512)', (column) => column.notNull())
    .addColumn('password_hash', 'varchar(256)')
    .addColumn('password_changed_at_ms', 'bigint')
    .addColumn('oidc_issuer', 'varchar(512)')
    .addColumn('oidc_subject', 'varchar(256)')
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('locked_at_ms', 'bigint')
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('signed_in_at_ms', 'bigint')
    .addUniqueConstraint('user_account_oidc', ['oidc_issuer', 'oidc_subject'])
    .execute();
  await schema.createIndex('user_account_by_group').on('user_account').columns(['group_path', 'name']).execute();
  await schema
    .createTable('user_session')
    .addColumn('id', 'varchar(32)', (column) => column.primaryKey().notNull())
    .addColumn('user_id', 'varchar(32)', (column) => column.notNull().references('user_account.id').onDelete('cascade'))
    .addColumn('token_hash', 'varchar(64)', (column) => column.notNull().unique())
    .addColumn('method', 'varchar(16)', (column) => column.notNull())
    .addColumn('remote_address', 'varchar(64)', (column) => column.notNull())
    .addColumn('user_agent', 'varchar(256)', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('seen_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema.createIndex('user_session_by_user').on('user_session').columns(['user_id', 'created_at_ms']).execute();
  await schema.createIndex('user_session_by_expiry').on('user_session').column('expires_at_ms').execute();
  await schema
    .createTable('user_address')
    .addColumn('user_id', 'varchar(32)', (column) => column.notNull().references('user_account.id').onDelete('cascade'))
    .addColumn('address', 'varchar(64)', (column) => column.notNull())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('user_address_key', ['user_id', 'address'])
    .execute();
}

async function createRoles({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('role')
    .addColumn('name', 'varchar(64)', (column) => column.primaryKey().notNull())
    .addColumn('description', 'varchar(500)', (column) => column.notNull())
    .addColumn('permissions', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('role_grant')
    .addColumn('holder_kind', 'varchar(16)', (column) => column.notNull())
    .addColumn('holder_id', 'varchar(32)', (column) => column.notNull())
    .addColumn('role', 'varchar(64)', (column) => column.notNull())
    .addColumn('group_path', 'varchar(512)', (column) => column.notNull())
    .addColumn('source', 'varchar(16)', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('role_grant_key', ['holder_kind', 'holder_id', 'role', 'group_path', 'source'])
    .execute();
  await schema.createIndex('role_grant_by_role').on('role_grant').column('role').execute();
}

interface KeysThen {
  api_key: { id: string; access: string; created_at_ms: number };
  role_grant: {
    holder_kind: string;
    holder_id: string;
    role: string;
    group_path: string;
    source: string;
    created_at_ms: number;
  };
}

async function extendKeys(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema
    .alterTable('api_key')
    .addColumn('prefix', 'varchar(32)', (column) => column.notNull().defaultTo(''))
    .execute();
  await schema
    .alterTable('api_key')
    .addColumn('group_path', 'varchar(512)', (column) => column.notNull().defaultTo('/'))
    .execute();
  await schema.alterTable('api_key').addColumn('expires_at_ms', 'bigint').execute();
  await schema.alterTable('api_key').addColumn('used_at_ms', 'bigint').execute();
  const tables = database as Kysely<KeysThen>;
  for (const key of await tables.selectFrom('api_key').select(['id', 'access', 'created_at_ms']).execute()) {
    await tables
      .insertInto('role_grant')
      .values({
        holder_kind: 'api-key',
        holder_id: key.id,
        role: key.access === 'admin' ? 'administrator' : 'viewer',
        group_path: '/',
        source: 'local',
        created_at_ms: key.created_at_ms,
      })
      .execute();
  }
  await schema.alterTable('api_key').dropColumn('access').execute();
}
