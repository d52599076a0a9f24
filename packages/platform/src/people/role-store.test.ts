import { expect, test } from 'vitest';
import { callerOf, callerWith, openTestPeople } from './people.fixture.ts';

const root = callerWith('administrator', '/');
const deviceRoot = callerOf([{ group: '/', permissions: new Set(['users:write', 'devices:read', 'devices:write'] as const) }]);

test('the four built-in roles are there, each may all that the one before it may, and nobody changes them', async () => {
  await using test = await openTestPeople();
  const { roles } = test.people;
  const list = await roles.list();
  expect(list.map(({ name }) => name)).toEqual(['viewer', 'operator', 'engineer', 'administrator']);
  for (const [at, { permissions }] of list.entries()) {
    for (const more of list.slice(at)) expect(more.permissions).toEqual(expect.arrayContaining([...permissions]));
  }
  for (const { name } of list) {
    await expect(roles.put({ name, description: '', permissions: [] }, root)).rejects.toMatchObject({ code: 'role.built-in' });
    await expect(roles.remove(name, root)).rejects.toMatchObject({ code: 'role.built-in' });
  }
});

test('a change of a role holds at once for those who have it', async () => {
  await using test = await openTestPeople();
  const { roles, apiKeys } = test.people;
  await roles.put({ name: 'helper', description: 'Helps.', permissions: ['devices:read'] }, root);
  const { key } = await apiKeys.create({ name: 'k', grants: [{ role: 'helper', group: '/acme' }] }, root);
  const permissions = async () => [...((await apiKeys.authenticate(key))?.grants[0]?.permissions ?? [])];
  expect(await permissions()).toEqual(['devices:read']);
  await roles.put({ name: 'helper', description: '', permissions: ['clients:read', 'devices:write'] }, root);
  expect(await permissions()).toEqual(['devices:write', 'clients:read']);
  await expect(roles.remove('helper', root)).rejects.toMatchObject({ code: 'role.in-use' });
});

test('nobody puts into a role, or takes out of it, what they do not have', async () => {
  await using test = await openTestPeople();
  const { roles } = test.people;
  const put = async (permissions: readonly ('devices:read' | 'audit:read')[], caller = deviceRoot) =>
    await roles.put({ name: 'helper', description: '', permissions }, caller);
  await expect(put(['audit:read'])).rejects.toMatchObject({ code: 'access.denied', details: { lacking: ['audit:read'] } });
  await put(['devices:read']);
  await put(['devices:read', 'audit:read'], root);
  await expect(put(['devices:read'])).rejects.toMatchObject({ code: 'access.denied' });
  await expect(roles.remove('helper', deviceRoot)).rejects.toMatchObject({ code: 'access.denied' });
  await expect(put(['devices:read'], callerWith('administrator', '/acme'))).rejects.toMatchObject({ code: 'access.denied' });
  expect((await roles.get('helper')).permissions).toEqual(['devices:read', 'audit:read']);
});

test.each(['', 'Upper', '9lives', 'a b', 'a/b', 'x'.repeat(64), '__proto__'])('%j is no name of a role', async (name) => {
  await using test = await openTestPeople();
  await expect(test.people.roles.put({ name, description: '', permissions: [] }, root)).rejects.toMatchObject({
    code: 'request.invalid',
  });
});
