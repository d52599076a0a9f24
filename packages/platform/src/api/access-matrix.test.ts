import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PERMISSIONS } from '../people/permissions.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { operationsOf, requestOf, type Operation } from './api-operations.fixture.ts';

/** Written down once more, apart from the code: what nobody may get or lose by accident. */
const VIEWER = [
  'devices:read',
  'telemetry:read',
  'shadows:read',
  'commands:read',
  'jobs:read',
  'messages:read',
  'clients:read',
  'certificates:read',
  'provisioning:read',
  'policies:read',
  'types:read',
  'groups:read',
  'fleets:read',
  'forwarders:read',
  'storage:read',
  'checks:read',
  'server:read',
];
const OPERATOR = [
  ...VIEWER,
  'devices:write',
  'shadows:write',
  'commands:write',
  'jobs:write',
  'messages:write',
  'clients:write',
  'certificates:write',
  'fleets:write',
  'checks:write',
  'audit:read',
];
const ENGINEER = [
  ...OPERATOR,
  'devices:delete',
  'telemetry:write',
  'provisioning:write',
  'policies:write',
  'types:write',
  'groups:write',
  'forwarders:write',
  'storage:write',
];
const ADMINISTRATOR = [...ENGINEER, 'users:read', 'users:write', 'keys:read', 'keys:write', 'secrets:write', 'server:write'];
const TABLE = { viewer: VIEWER, operator: OPERATOR, engineer: ENGINEER, administrator: ADMINISTRATOR } as const;
type Role = keyof typeof TABLE;
const ROLES = Object.keys(TABLE) as Role[];

/** Health, signing in, what anybody may know of the authority, and the doors by which devices enrol with credentials of their own. */
const OPEN = /^\/(healthz|readyz|api\/v1\/session|api\/v1\/session\/methods|api\/v1\/provision|pki\/.*|\.well-known\/.*)$/;

let api: TestApi;
let operations: readonly Operation[];
const keys = new Map<string, string>();

beforeAll(async () => {
  api = await openTestApi();
  operations = await operationsOf(api);
  for (const role of ROLES) {
    for (const group of ['/', '/a']) keys.set(`${role} ${group}`, await keyOf([{ role, group }]));
  }
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function keyOf(grants: readonly object[], more: object = {}): Promise<string> {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants, ...more },
  });
  expect(answer.statusCode).toBe(201);
  return answer.json<{ key: string }>().key;
}

/** Asks for something that there is not, so that it stops right behind the guard. */
async function knock({ method, path }: Operation, headers: Record<string, string>) {
  const url = `${path.replaceAll(/\{\w+\}/g, 'nobody')}?no-such-parameter=1`;
  return await api.app.inject({ method, url, headers });
}

test('the table speaks of every permission, and the administrator has all', () => {
  expect(ADMINISTRATOR.toSorted()).toEqual([...PERMISSIONS].sort());
});

test('every operation asks for a permission, but for those by which one gets in', () => {
  expect(operations.length).toBeGreaterThan(40);
  const open = operations.filter(({ permission }) => permission === undefined).map(({ path }) => path);
  for (const path of open) expect(path).toMatch(OPEN);
  const known: ReadonlySet<string> = new Set([...PERMISSIONS, 'signed-in']);
  for (const { id, permission } of operations) expect([id, known.has(permission ?? 'signed-in')]).toEqual([id, true]);
});

test('what changes something does not do with a permission to read', () => {
  const harmless = new Set(['explainAccess', 'testDecoder', 'decodeAsType', 'planRetention', 'runSql']);
  for (const { id, method, permission } of operations) {
    if (method === 'GET' || permission === undefined || permission === 'signed-in' || harmless.has(id)) continue;
    expect([id, permission]).toEqual([id, expect.stringMatching(/:(write|delete)$/)]);
  }
});

test('without credentials, or with ones that are none or have expired, every operation answers 401', async () => {
  const expired = await keyOf([{ role: 'administrator', group: '/' }], { expiresAtMs: api.clock.now() + 1000 });
  await api.people.users.create(
    { name: 'ann', password: 'correct horse battery staple', grants: [{ role: 'administrator', group: '/' }] },
    (await api.people.identities.find('admin-key-of-the-tests'))!,
  );
  const from = { remoteAddress: '192.0.2.1', userAgent: '' };
  const session = await api.people.passwordSignIn.signIn({ name: 'ann', password: 'correct horse battery staple' }, from);
  const good = await knock(
    operations.find(({ id }) => id === 'listUsers')!,
    { authorization: `Bearer ${session.token}` },
  );
  expect(good.statusCode).toBe(400);
  api.clock.advance(12 * 3_600_000);
  for (const operation of operations.filter(({ permission }) => permission !== undefined)) {
    for (const headers of [
      {},
      { authorization: `Bearer ${expired}` },
      { authorization: `Bearer ${session.token}` },
      { cookie: `selsyn-session=${session.token}`, 'sec-fetch-site': 'same-origin' },
      { authorization: 'Bearer nobody-has-this' },
    ]) {
      const answer = await knock(operation, headers);
      expect([operation.id, answer.statusCode]).toEqual([operation.id, 401]);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="selsyn"');
    }
  }
});

describe.each(ROLES)('%s', (role) => {
  test.each(['/', '/a'])('at %s gets past the guard exactly where the table says', async (group) => {
    const authorization = `Bearer ${keys.get(`${role} ${group}`)}`;
    for (const operation of operations) {
      const { id, permission, everything } = operation;
      if (permission === undefined) continue;
      const has = permission === 'signed-in' || (TABLE[role] as readonly string[]).includes(permission);
      const allowed = has && (!everything || group === '/');
      const { statusCode } = await knock(operation, { authorization });
      expect([id, statusCode === 403]).toEqual([id, !allowed]);
      if (allowed) expect([id, statusCode]).not.toEqual([id, 401]);
    }
  });
});

test('a key without any role gets nowhere', async () => {
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'none', grants: [{ role: 'viewer', group: '/a' }] },
  });
  const { id, key } = made.json<{ id: string; key: string }>();
  await api.app.inject({ method: 'DELETE', url: `/api/v1/api-keys/${id}/grants?role=viewer&group=/a`, headers: asAdmin });
  for (const operation of operations) {
    if (operation.permission === undefined || operation.permission === 'signed-in') continue;
    expect([operation.id, (await knock(operation, { authorization: `Bearer ${key}` })).statusCode]).toEqual([operation.id, 403]);
  }
});

test('the requests that are made up for the tests are such as the operations take', async () => {
  const taken = operations.find(({ id }) => id === 'addDevice')!;
  const { statusCode } = await api.app.inject({
    ...requestOf(taken, { id: 'made-up' }),
    headers: { ...asAdmin, 'content-type': 'application/json' },
  });
  expect(statusCode).toBe(201);
});
