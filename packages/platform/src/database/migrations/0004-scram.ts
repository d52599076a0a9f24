import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const CHALLENGE_KEY_BYTES = 32;

/**
 * What SCRAM-SHA-256 needs to know of a token, null for those given before; and a secret of this database, drawn here so that
 * all threads and nodes have the same one for ever.
 */
export const scram: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema.alterTable('device_token').addColumn('scram_salt', 'varchar(64)').execute();
    await schema.alterTable('device_token').addColumn('scram_iterations', 'integer').execute();
    await schema.alterTable('device_token').addColumn('scram_stored_key', 'varchar(64)').execute();
    await schema.alterTable('device_token').addColumn('scram_server_key', 'varchar(64)').execute();
    await schema
      .createTable('server_secret')
      .addColumn('name', 'varchar(64)', (column) => column.primaryKey().notNull())
      .addColumn('value', 'varchar(64)', (column) => column.notNull())
      .execute();
    // A migration knows the tables only as they were at its time, so they have no types here.
    await (database as Kysely<{ server_secret: { name: string; value: string } }>)
      .insertInto('server_secret')
      .values({ name: 'scram-challenge', value: randomBytes(CHALLENGE_KEY_BYTES).toString('base64url') })
      .execute();
  },
};
