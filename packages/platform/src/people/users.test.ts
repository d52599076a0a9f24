import { expect, test } from 'vitest';
import { scopeOf } from './caller.ts';
import { callerOf, callerWith, GOOD_PASSWORD, openTestPeople, OTHER_PASSWORD } from './people.fixture.ts';

const root = callerWith('administrator', '/');
const acme = callerWith('administrator', '/acme');
const origin = { remoteAddress: '192.0.2.1', userAgent: 'a browser' };

test('a user who was added signs in and may what was granted, where it was granted', async () => {
  await using test = await openTestPeople();
  const { users, passwordSignIn, identities } = test.people;
  const user = await users.create(
    {
      name: 'Ann',
      displayName: 'Ann Example',
      group: '/acme',
      password: GOOD_PASSWORD,
      grants: [{ role: 'operator', group: '/acme' }],
    },
    root,
  );
  expect(user).toMatchObject({ name: 'ann', group: '/acme', password: true, oidc: false, disabled: false, locked: false });
  const { token } = await passwordSignIn.signIn({ name: ' ANN ', password: GOOD_PASSWORD }, origin);
  const caller = await identities.find(token, '192.0.2.1');
  expect(caller?.actor).toMatchObject({ kind: 'user', name: 'ann', remoteAddress: '192.0.2.1' });
  expect(scopeOf(caller ?? root, 'devices:write')).toEqual({ groups: ['/acme'] });
  expect(scopeOf(caller ?? root, 'users:read')).toEqual({ groups: [] });
  const stored = JSON.stringify([
    await test.database.selectFrom('user_account').selectAll().execute(),
    await test.database.selectFrom('user_session').selectAll().execute(),
    await test.audit.list({ limit: 100 }),
  ]);
  expect(stored).not.toContain(GOOD_PASSWORD);
  expect(stored).not.toContain(token);
});

test('a name is there once, whatever its case', async () => {
  await using test = await openTestPeople();
  await test.people.users.create({ name: 'ann', grants: [] }, root);
  await expect(test.people.users.create({ name: 'ANN', grants: [] }, root)).rejects.toMatchObject({ code: 'user.exists' });
  for (const name of ['', ' ', '-ann', 'a b', 'a/b', 'x'.repeat(129), 'a\0b']) {
    await expect(test.people.users.create({ name, grants: [] }, root)).rejects.toMatchObject({ code: 'request.invalid' });
  }
});

test('a bad password makes no user', async () => {
  await using test = await openTestPeople();
  const draft = { name: 'annabel', password: 'annabel annabel', grants: [] };
  await expect(test.people.users.create(draft, root)).rejects.toMatchObject({ code: 'password.refused' });
  expect((await test.people.users.list({ scope: { groups: ['/'] }, limit: 10 })).items).toEqual([]);
});

test('nobody gives more than they have, nor outside of their own nodes', async () => {
  await using test = await openTestPeople();
  const { users, roles } = test.people;
  await roles.put({ name: 'auditor', description: '', permissions: ['audit:read'] }, root);
  await users.create({ name: 'bob', group: '/acme', grants: [] }, root);
  const usersOnly = callerOf([{ group: '/acme', permissions: new Set(['users:read', 'users:write', 'devices:read'] as const) }]);
  const elsewhere = callerOf([
    { group: '/acme', permissions: new Set(['users:write'] as const) },
    { group: '/beta', permissions: new Set(['audit:read'] as const) },
  ]);
  for (const [caller, role, group] of [
    [acme, 'viewer', '/'],
    [acme, 'viewer', '/beta'],
    [acme, 'auditor', '/acmeplus'],
    [usersOnly, 'viewer', '/acme'],
    [usersOnly, 'auditor', '/acme'],
    [usersOnly, 'administrator', '/acme'],
    // Has the permission there, but does not administer users there.
    [elsewhere, 'auditor', '/beta'],
  ] as const) {
    await expect(users.grant('bob', { role, group }, caller)).rejects.toMatchObject({ code: 'access.denied' });
  }
  expect((await users.get('bob', root)).grants).toEqual([]);
  await users.grant('bob', { role: 'administrator', group: '/acme/hall-1' }, acme);
  expect((await users.get('bob', root)).grants).toEqual([{ role: 'administrator', group: '/acme/hall-1', source: 'local' }]);
  await expect(users.grant('bob', { role: 'none', group: '/acme' }, acme)).rejects.toMatchObject({ code: 'role.not-found' });
});

test('nobody changes users who may more than they may: a new password would make those rights theirs', async () => {
  await using test = await openTestPeople();
  const { users } = test.people;
  await users.create({ name: 'boss', group: '/acme', password: GOOD_PASSWORD, grants: [{ role: 'viewer', group: '/' }] }, root);
  const denied = { code: 'access.denied' };
  await expect(users.setPassword('boss', OTHER_PASSWORD, acme)).rejects.toMatchObject(denied);
  await expect(users.update('boss', { disabled: true }, acme)).rejects.toMatchObject(denied);
  await expect(users.remove('boss', acme)).rejects.toMatchObject(denied);
  await expect(users.revoke('boss', { role: 'viewer', group: '/' }, acme)).rejects.toMatchObject(denied);
  await expect(users.grant('boss', { role: 'viewer', group: '/acme' }, acme)).rejects.toMatchObject(denied);
  await expect(users.endSessions('boss', acme)).rejects.toMatchObject(denied);
  await expect(users.unlock('boss', acme)).rejects.toMatchObject(denied);
  expect(await users.get('boss', acme)).toMatchObject({ disabled: false });
});

test('users at home elsewhere look not there, and nobody is moved out of reach', async () => {
  await using test = await openTestPeople();
  const { users } = test.people;
  await users.create({ name: 'eve', group: '/beta', grants: [] }, root);
  await users.create({ name: 'bob', group: '/acme', grants: [] }, root);
  const missing = { code: 'user.not-found' };
  await expect(users.get('eve', acme)).rejects.toMatchObject(missing);
  await expect(users.update('eve', { group: '/acme' }, acme)).rejects.toMatchObject(missing);
  await expect(users.setPassword('eve', OTHER_PASSWORD, acme)).rejects.toMatchObject(missing);
  await expect(users.sessionsOf('eve', acme)).rejects.toMatchObject(missing);
  await expect(users.update('bob', { group: '/beta' }, acme)).rejects.toMatchObject({ code: 'access.denied' });
  await expect(users.create({ name: 'new', group: '/', grants: [] }, acme)).rejects.toMatchObject({ code: 'access.denied' });
  // Names that sort between a node and what is below it.
  for (const group of ['/acme-2', '/acme.3', '/acme0', '/acmeplus'])
    await users.create({ name: `of${group.slice(1)}`, group, grants: [] }, root);
  await users.create({ name: 'below', group: '/acme/x', grants: [] }, root);
  const seen = await users.list({ scope: { groups: ['/acme'] }, limit: 10 });
  expect(seen.items.map(({ name }) => name)).toEqual(['below', 'bob']);
  await expect(users.get('ofacme-2', acme)).rejects.toMatchObject(missing);
});

test('a list is paged by name', async () => {
  await using test = await openTestPeople();
  const { users } = test.people;
  for (const name of ['cid', 'ann', 'bob', 'anna']) await users.create({ name, grants: [] }, root);
  const scope = { groups: ['/'] };
  const first = await users.list({ scope, limit: 3 });
  expect(first.items.map(({ name }) => name)).toEqual(['ann', 'anna', 'bob']);
  const rest = await users.list({ scope, limit: 3, cursor: first.cursor });
  expect([rest.items.map(({ name }) => name), rest.cursor]).toEqual([['cid'], undefined]);
  expect((await users.list({ scope, limit: 3, prefix: 'AN' })).items.map(({ name }) => name)).toEqual(['ann', 'anna']);
});

test('whoever is disabled, removed or given a new password is signed out at once', async () => {
  await using test = await openTestPeople();
  const { users, passwordSignIn, identities } = test.people;
  const signedIn = async (name: string, password = GOOD_PASSWORD) =>
    (await passwordSignIn.signIn({ name, password }, origin)).token;
  for (const name of ['a1', 'b1', 'c1', 'd1']) await users.create({ name, password: GOOD_PASSWORD, grants: [] }, root);
  const tokens = [await signedIn('a1'), await signedIn('b1'), await signedIn('c1'), await signedIn('d1')];
  for (const token of tokens) expect(await identities.find(token)).toBeDefined();
  await users.update('a1', { disabled: true }, root);
  await users.remove('b1', root);
  await users.setPassword('c1', OTHER_PASSWORD, root);
  await users.endSessions('d1', root);
  for (const token of tokens) expect(await identities.find(token)).toBeUndefined();
  await expect(signedIn('a1')).rejects.toMatchObject({ code: 'sign-in.failed' });
  await users.update('a1', { disabled: false }, root);
  expect(await identities.find(tokens[0] ?? '')).toBeUndefined();
  expect(await identities.find(await signedIn('a1'))).toBeDefined();
  expect(await identities.find(await signedIn('c1', OTHER_PASSWORD))).toBeDefined();
});

test('every change is in the audit trail, in the group that it is about, without any secret', async () => {
  await using test = await openTestPeople();
  const { users } = test.people;
  await users.create(
    { name: 'bob', group: '/acme', password: GOOD_PASSWORD, grants: [{ role: 'viewer', group: '/acme/x' }] },
    root,
  );
  await users.update('bob', { displayName: 'Bob' }, root);
  await users.setPassword('bob', OTHER_PASSWORD, root);
  await users.revoke('bob', { role: 'viewer', group: '/acme/x' }, root);
  await users.remove('bob', root);
  const trail = (await test.audit.list({ objectKind: 'user', limit: 20 })).toReversed();
  expect(trail.map(({ action, group }) => [action, group])).toEqual([
    ['user.create', '/acme'],
    ['user.grant', '/acme/x'],
    ['user.update', '/acme'],
    ['user.set-password', '/acme'],
    ['user.revoke', '/acme/x'],
    ['user.delete', '/acme'],
  ]);
  expect(trail.every(({ actor }) => actor.name === 'ada' && actor.remoteAddress === '192.0.2.9')).toBe(true);
  expect(trail[2]).toMatchObject({ before: { name: 'bob' }, after: { name: 'bob', displayName: 'Bob' } });
  expect(JSON.stringify(trail)).not.toMatch(/argon2|horse|sentence/);
});
