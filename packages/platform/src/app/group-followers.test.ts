import { expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { TemplateStore } from '../provisioning/template-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { groupFollowers } from './group-followers.ts';

const actor = systemActor('test');

async function open() {
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const groups = new GroupStore({ database, clock: new FakeClock(), followers: groupFollowers });
  for (const path of ['/a/b/c', '/ab']) await groups.create(path, actor);
  for (const path of ['/a', '/a/b', '/a/b/c', '/ab']) {
    const grant = { holder_kind: 'user', holder_id: 'u', role: 'viewer', source: 'local', created_at_ms: 1 };
    await database
      .insertInto('role_grant')
      .values({ ...grant, group_path: path })
      .execute();
  }
  const version = async () => (await database.selectFrom('access_version').select('version').executeTakeFirstOrThrow()).version;
  await database
    .insertInto('policy')
    .values({ name: 'p', description: '', document: '{"statements":[]}', created_at_ms: 1, updated_at_ms: 1 })
    .execute();
  for (const path of ['/a/b', '/ab']) {
    await database.insertInto('policy_attachment').values({ policy_name: 'p', target_kind: 'group', target_id: path }).execute();
  }
  return {
    groups,
    version,
    grants: async () =>
      (await database.selectFrom('role_grant').select('group_path').orderBy('group_path').execute()).map((row) => row.group_path),
    policies: async () =>
      (
        await database
          .selectFrom('policy_attachment')
          .select('target_id')
          .where('policy_name', '=', 'p')
          .orderBy('target_id')
          .execute()
      ).map((row) => row.target_id),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

test('roles and policies at a group go where it goes, and gateways learn of it', async () => {
  await using opened = await open();
  const before = await opened.version();
  await opened.groups.move('/a/b', '/x/y', actor);
  expect(await opened.grants()).toEqual(['/a', '/ab', '/x/y', '/x/y/c']);
  expect(await opened.policies()).toEqual(['/ab', '/x/y']);
  expect(await opened.version()).toBeGreaterThan(before);
});

test('roles and policies at a group that is removed end, so that a new one of that name has none', async () => {
  await using opened = await open();
  await opened.groups.remove('/a/b', actor, { force: true });
  expect(await opened.grants()).toEqual(['/a', '/ab']);
  expect(await opened.policies()).toEqual(['/ab']);
});

/** Of the template of these devices: where it stands, and where its devices are put. */
async function templateAfter(group: string, change: (groups: GroupStore) => Promise<unknown>): Promise<readonly string[]> {
  await using file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const clock = new FakeClock();
  const groups = new GroupStore({ database, clock, followers: groupFollowers });
  await groups.create('/a/b', actor);
  const templates = new TemplateStore({ database, clock, trail: new AuditTrail({ database, clock }) });
  const parameters = { SerialNumber: {}, Site: {} };
  const draft = { parameters, device: { id: 'd-${parameters.SerialNumber}', group } };
  await templates.put({ name: 't', enabled: true, ...draft }, EVERYTHING, actor);
  await change(groups);
  const { template, compiled } = (await templates.find('t'))!;
  const put = compiled.fill({ SerialNumber: '1', Site: 's' }, {}).draft.group;
  return [template.group, compiled.group, put];
}

test('a template puts its devices where its group went, and none into a new group of the old name', async () => {
  const move = async (groups: GroupStore) => await groups.move('/a', '/x/y', actor);
  expect(await templateAfter('/a/b/${parameters.Site}', move)).toEqual(['/x/y/b', '/x/y/b', '/x/y/b/s']);
  expect(await templateAfter('/a', move)).toEqual(['/x/y', '/x/y', '/x/y']);
  expect(await templateAfter('/ab/${parameters.Site}', move)).toEqual(['/ab', '/ab', '/ab/s']);
  expect(await templateAfter('/${parameters.Site}', move)).toEqual(['/', '/', '/s']);
});

test('a template of a group that is removed puts its devices where those of the group went', async () => {
  const remove = (path: string) => async (groups: GroupStore) => await groups.remove(path, actor, { force: true });
  expect(await templateAfter('/a/b/${parameters.Site}', remove('/a/b'))).toEqual(['/a', '/a', '/a/s']);
  expect(await templateAfter('/a/b/${parameters.Site}', remove('/a'))).toEqual(['/', '/', '/s']);
  expect(await templateAfter('/a/b', remove('/a'))).toEqual(['/', '/', '/']);
});

test('an access key is looked after where its group went, and above a group that is removed', async () => {
  await using file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const groups = new GroupStore({ database, clock: new FakeClock(), followers: groupFollowers });
  await groups.create('/a/b', actor);
  const sealing = { id: 'k', master_id: 'm', wrapped: '', created_at_ms: 0, retired_at_ms: null };
  await database.insertInto('data_key').values(sealing).execute();
  const key = {
    id: 'AKSY',
    name: 'n',
    device_id: null,
    group_path: '/a/b',
    sealed: '',
    key_id: 'k',
    disabled: 0,
    created_at_ms: 0,
  };
  await database.insertInto('access_key').values(key).execute();
  const home = async () => (await database.selectFrom('access_key').select('group_path').executeTakeFirstOrThrow()).group_path;
  await groups.move('/a', '/x', actor);
  expect(await home()).toBe('/x/b');
  await groups.remove('/x/b', actor, { force: true });
  expect(await home()).toBe('/x');
});
