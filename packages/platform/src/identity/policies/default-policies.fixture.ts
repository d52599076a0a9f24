import { openSqliteDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import { AccessReader } from './access-reader.ts';
import type { CompiledPolicies } from './compiled-policies.ts';

/** What every device of a new installation has. */
export async function openDefaultPolicies(): Promise<CompiledPolicies> {
  await using file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  const facts = { deviceId: 'd', clientId: 'd', type: undefined, group: '/', attributes: {} };
  return await new AccessReader(file.database).policiesOf(facts, undefined);
}
