import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Whether a device type was changed is asked very often. */
export const deviceTypeChanges: Migration = {
  async up({ schema }: Kysely<unknown>): Promise<void> {
    await schema.createIndex('device_type_by_update').on('device_type').column('updated_at_ms').execute();
  },
};
