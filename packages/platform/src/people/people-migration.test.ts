import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate, MIGRATIONS } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { hashSecret } from '../kernel/secret.ts';
import { mayEverywhere, type Caller } from './caller.ts';
import { openPeople } from './people.ts';

test('keys of before roles were go on working: admin may everything, read and whatever else only sees', async () => {
  await using file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database, Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0005')));
  for (const access of ['admin', 'read', 'superuser']) {
    await sql`insert into api_key (id, name, access, key_hash, created_at_ms)
      values (${access}, ${`the ${access}`}, ${access}, ${hashSecret(`key of ${access}`)}, 7)`.execute(database);
  }
  expect(await migrate(database)).toContain('0010-people');
  const clock = new FakeClock();
  const { apiKeys } = await openPeople({
    database,
    clock,
    random: (count) => new Uint8Array(count),
    audit: new AuditTrail({ database, clock }),
    adminKey: 'the admin key',
    sessionLimits: { idleMs: 1, maxMs: 1 },
    oidc: undefined,
    logLines: silentLogLines,
    sealSecret: 'a secret of the tests',
  });
  const callers = await Promise.all(
    ['admin', 'read', 'superuser'].map(async (access) => await apiKeys.authenticate(`key of ${access}`)),
  );
  const may = (caller: Caller | undefined) =>
    caller === undefined
      ? []
      : [caller.actor.name, mayEverywhere(caller, 'telemetry:read'), mayEverywhere(caller, 'users:write')];
  expect(callers.map(may)).toEqual([
    ['the admin', true, true],
    ['the read', true, false],
    ['the superuser', true, false],
  ]);
  expect((await apiKeys.list()).map(({ id, prefix, group, createdAtMs }) => [id, prefix, group, createdAtMs])).toEqual([
    ['admin', '', '/', 7],
    ['read', '', '/', 7],
    ['superuser', '', '/', 7],
  ]);
});
