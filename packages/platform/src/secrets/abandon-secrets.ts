import { AuditTrail } from '../audit/audit-trail.ts';
import { systemActor } from '../audit/actor.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { newSecret, type RandomBytes } from '../kernel/secret.ts';

/**
 * Gives up everything that is sealed, for when the master key is lost for good: the secrets of devices and the access keys are gone,
 * those of the server are drawn anew, and the next start makes a new master key.
 *
 * @returns how many secrets of devices were given up
 */
export async function abandonSecrets(dependencies: {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
}): Promise<number> {
  const { database, clock, random } = dependencies;
  return await database.transaction().execute(async (transaction) => {
    const { count } = await transaction
      .selectFrom('device_secret')
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    const accessKeys = await transaction.deleteFrom('access_key').executeTakeFirst();
    await transaction.deleteFrom('role_grant').where('holder_kind', '=', 'access-key').execute();
    await transaction.deleteFrom('device_secret').execute();
    await transaction.deleteFrom('data_key').execute();
    const rows = await transaction.selectFrom('server_secret').select('name').where('sealed', 'is not', null).execute();
    for (const { name } of rows) {
      await transaction
        .updateTable('server_secret')
        .set({ sealed: null, value: newSecret(random) })
        .where('name', '=', name)
        .execute();
    }
    const before = { deviceSecrets: Number(count), accessKeys: Number(accessKeys.numDeletedRows) };
    const change = { object: { kind: 'master-key', id: 'lost' }, group: '/', before };
    await new AuditTrail({ database: transaction, clock }).record(
      [{ actor: systemActor('cli'), action: 'master-key.abandon', ...change }],
      transaction,
    );
    return Number(count);
  });
}
