import { expect, test } from 'vitest';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate, MIGRATIONS } from '../database/migrate.ts';
import { readPolicies } from './retention-policies.ts';
import { DEFAULT_KEEP } from './retention-policy.ts';

const BEFORE = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0021'));

test('an upgrade lets nothing go that was kept for ever before', async () => {
  await using used = openSqliteDatabase(':memory:');
  await migrate(used.database, BEFORE);
  await used.database.insertInto('device').values({ id: 'pump-1', name: null, created_at_ms: 0 }).execute();
  await migrate(used.database);
  expect(await readPolicies(used.database)).toMatchObject([
    { name: 'default', keepDays: { raw: null, hourly: null, daily: null, archive: null } },
  ]);
});

test('a new server begins with the lengths of the guide', async () => {
  await using fresh = openSqliteDatabase(':memory:');
  await migrate(fresh.database);
  expect(await readPolicies(fresh.database)).toMatchObject([{ name: 'default', keepDays: DEFAULT_KEEP }]);
});
