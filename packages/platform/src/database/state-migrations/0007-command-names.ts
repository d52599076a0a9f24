import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Commands are found by name and state together: by one of them alone all commands of a million may have to be read. */
export const commandNames: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema.dropIndex('command_by_name').execute();
    await schema.createIndex('command_by_name').on('command').columns(['name', 'state', 'id']).execute();
  },
};
