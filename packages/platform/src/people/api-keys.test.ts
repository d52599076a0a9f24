import { expect, test } from 'vitest';
import { API_KEY_START, MAX_API_KEYS } from './api-keys.ts';
import { scopeOf } from './caller.ts';
import { callerOf, callerWith, openTestPeople } from './people.fixture.ts';

const root = callerWith('administrator', '/');
const acme = callerWith('administrator', '/acme');
const viewer = [{ role: 'viewer', group: '/' }];

test('the key of the configuration is the administrator’s; others are nobody’s', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const admin = await apiKeys.authenticate('the admin key', '192.0.2.1');
  expect(admin?.actor).toEqual({ kind: 'api-key', id: 'admin', name: 'admin', remoteAddress: '192.0.2.1' });
  expect(scopeOf(admin ?? root, 'secrets:write')).toEqual({ groups: ['/'] });
  for (const key of ['', 'the admin ke', 'the admin key ', 'THE ADMIN KEY', 'x'.repeat(1_000_000)]) {
    expect(await apiKeys.authenticate(key)).toBeUndefined();
  }
});

test('a key works until it is taken back, and only its hash and its beginning are kept', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const { key, ...made } = await apiKeys.create({ name: 'grafana', grants: viewer }, root);
  expect(made).toMatchObject({ name: 'grafana', group: '/', grants: viewer, prefix: key.slice(0, 17) });
  expect(key).toMatch(new RegExp(`^${API_KEY_START}[A-Za-z0-9_-]{43}$`));
  expect(await apiKeys.list()).toEqual([made]);
  const caller = await apiKeys.authenticate(key);
  expect(caller?.actor).toMatchObject({ kind: 'api-key', id: made.id, name: 'grafana' });
  expect(scopeOf(caller ?? root, 'telemetry:read')).toEqual({ groups: ['/'] });
  expect(scopeOf(caller ?? root, 'devices:write')).toEqual({ groups: [] });
  expect(JSON.stringify(await test.database.selectFrom('api_key').selectAll().execute())).not.toContain(key);
  await apiKeys.remove(made.id, root);
  expect(await apiKeys.authenticate(key)).toBeUndefined();
  await expect(apiKeys.remove(made.id, root)).rejects.toMatchObject({ code: 'api-key.not-found' });
  const trail = await test.audit.list({ objectKind: 'api-key', limit: 10 });
  expect(trail.map(({ action }) => action)).toEqual(['api-key.delete', 'api-key.revoke', 'api-key.grant', 'api-key.create']);
  expect(JSON.stringify(trail)).not.toContain(key);
});

test('a key is refused from the ms on in which it expires', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const expiresAtMs = test.clock.now() + 1000;
  const { key } = await apiKeys.create({ name: 'ci', grants: viewer, expiresAtMs }, root);
  test.clock.advance(999);
  expect(await apiKeys.authenticate(key)).toBeDefined();
  test.clock.advance(1);
  expect(await apiKeys.authenticate(key)).toBeUndefined();
  await expect(apiKeys.create({ name: 'late', grants: viewer, expiresAtMs }, root)).rejects.toMatchObject({
    code: 'request.invalid',
  });
});

test('when a key was last used is kept to the minute; asking whether it holds is no use of it', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const { key } = await apiKeys.create({ name: 'ci', grants: viewer }, root);
  const usedAtMs = async () => (await apiKeys.list())[0]?.usedAtMs;
  await apiKeys.authenticate(key, undefined, 'renewal');
  expect(await usedAtMs()).toBeUndefined();
  await apiKeys.authenticate(key);
  const first = test.clock.now();
  test.clock.advance(59_000);
  await apiKeys.authenticate(key);
  expect(await usedAtMs()).toBe(first);
  test.clock.advance(1_000);
  await apiKeys.authenticate(key);
  expect(await usedAtMs()).toBe(first + 60_000);
});

test('nobody makes a key that may more than they may, or elsewhere', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const keyMaker = callerOf([{ group: '/acme', permissions: new Set(['keys:read', 'keys:write', 'devices:read'] as const) }]);
  for (const [caller, role, group] of [
    [acme, 'viewer', '/'],
    [acme, 'viewer', '/acme2'],
    [acme, 'viewer', '/beta'],
    [keyMaker, 'viewer', '/acme'],
    [callerWith('engineer', '/'), 'viewer', '/'],
  ] as const) {
    await expect(apiKeys.create({ name: 'k', grants: [{ role, group }] }, caller)).rejects.toMatchObject({
      code: 'access.denied',
    });
  }
  expect(await test.database.selectFrom('role_grant').selectAll().execute()).toEqual([]);
  expect(await apiKeys.list()).toEqual([]);
  const made = await apiKeys.create({ name: 'k', grants: [{ role: 'operator', group: '/acme/hall-1' }] }, acme);
  expect(made.group).toBe('/acme/hall-1');
});

test('keys at home elsewhere look not there, and those that may more are left alone', async () => {
  await using test = await openTestPeople();
  const { apiKeys } = test.people;
  const beta = await apiKeys.create({ name: 'beta', grants: [{ role: 'viewer', group: '/beta' }] }, root);
  const strong = await apiKeys.create({ name: 'strong', group: '/acme', grants: viewer }, root);
  expect(await apiKeys.list({ groups: ['/acme'] })).toMatchObject([{ name: 'strong' }]);
  await expect(apiKeys.remove(beta.id, acme)).rejects.toMatchObject({ code: 'api-key.not-found' });
  await expect(apiKeys.grant(beta.id, { role: 'viewer', group: '/acme' }, acme)).rejects.toMatchObject({
    code: 'api-key.not-found',
  });
  await expect(apiKeys.remove(strong.id, acme)).rejects.toMatchObject({ code: 'access.denied' });
  await expect(apiKeys.revoke(strong.id, { role: 'viewer', group: '/' }, acme)).rejects.toMatchObject({ code: 'access.denied' });
  expect(await apiKeys.list()).toHaveLength(2);
});

test('there is a bound on the number of keys', async () => {
  await using test = await openTestPeople();
  const rows = Array.from({ length: MAX_API_KEYS }, (_, i) => ({
    id: `k${i}`,
    name: 'k',
    key_hash: `h${i}`,
    prefix: '',
    group_path: '/',
    created_at_ms: i,
  }));
  await test.database.insertInto('api_key').values(rows).execute();
  await expect(test.people.apiKeys.create({ name: 'one more', grants: viewer }, root)).rejects.toMatchObject({
    code: 'request.too-large',
  });
});
