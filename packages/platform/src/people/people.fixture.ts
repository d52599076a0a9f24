import { createHash } from 'node:crypto';
import { AuditTrail } from '../audit/audit-trail.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import type { Caller } from './caller.ts';
import type { OidcSettings } from './oidc-sign-in.ts';
import { BUILT_IN_ROLES, type BuiltInRole, type Permission } from './permissions.ts';
import { openPeople, type People } from './people.ts';

export interface TestPeople extends AsyncDisposable {
  readonly people: People;
  readonly database: Database;
  readonly audit: AuditTrail;
  readonly clock: FakeClock;
  /** What was written to the log. */
  readonly lines: unknown[];
}

export const GOOD_PASSWORD = 'correct horse battery staple';
export const OTHER_PASSWORD = 'a quite different sentence';

/** Everything about people over a database in memory; the clock is the test's. */
export async function openTestPeople(oidc?: OidcSettings): Promise<TestPeople> {
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const clock = new FakeClock();
  const audit = new AuditTrail({ database, clock });
  const lines: unknown[] = [];
  const people = await openPeople({
    database,
    clock,
    random: countingRandom(),
    audit,
    adminKey: 'the admin key',
    sessionLimits: { idleMs: 3_600_000, maxMs: 43_200_000 },
    oidc,
    logLines: { warn: (line: unknown) => void lines.push(line) },
    sealSecret: 'a secret of the tests',
  });
  return { people, database, audit, clock, lines, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
}

/** Somebody with one role at one node. */
export function callerWith(role: BuiltInRole, group: string): Caller {
  return callerOf([{ group, permissions: BUILT_IN_ROLES[role] }]);
}

export function callerOf(grants: readonly { readonly group: string; readonly permissions: ReadonlySet<Permission> }[]): Caller {
  return { actor: { kind: 'user', id: 'u1', name: 'ada', remoteAddress: '192.0.2.9' }, grants };
}

/** Different bytes at each call, the same in each run. */
function countingRandom(): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
}
