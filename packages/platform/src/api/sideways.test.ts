import { sql, type Kysely } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { CLIENT } from './fakes.fixture.ts';
import { operationsOf, requestOf, type Names, type Operation } from './api-operations.fixture.ts';

/**
 * The same things stand in /a and in /b; every operation of the OpenAPI document is tried on those in /b by an administrator,
 * an engineer, an operator and a viewer of /a. Nothing may change, and nothing of /b may show.
 */
const PASSWORD = 'correct horse battery staple';
let api: TestApi;
let operations: readonly Operation[];
/** The ids that things got, by the kind of thing as it stands in paths. */
const ids: Record<'a' | 'b', Record<string, string>> = { a: {}, b: {} };
const keys = new Map<string, string>();

beforeAll(async () => {
  api = await openTestApi();
  operations = await operationsOf(api);
  for (const group of ['a', 'b'] as const) {
    const at = `/${group}`;
    api.sparkplug.add(`device-${group}`);
    await admin('POST', '/devices', { id: `device-${group}`, group: at, name: `secret of ${group}`, tags: [group] });
    await admin('PUT', `/devices/device-${group}/secrets/secret-${group}`, { value: `secret of ${group}` });
    await admin('POST', '/users', {
      name: `user-${group}`,
      group: at,
      password: PASSWORD,
      grants: [{ role: 'viewer', group: at }],
    });
    for (const place of ['shadow', `shadows/new-${group}`]) {
      await admin('PUT', `/devices/device-${group}/${place}`, { desired: { of: `secret of ${group}` } });
    }
    const template = `template-${group}`;
    const device = { id: 'unit-${parameters.SerialNumber}', group: at };
    const parameters = { SerialNumber: {} };
    const expiresAtMs = api.clock.now() + 3_600_000;
    await admin('PUT', `/provisioning/templates/${template}`, { parameters, serial: 'SerialNumber', device });
    await admin('POST', '/provisioning/claims', { name: `claims-${group}`, template, maxCount: 5, expiresAtMs });
    ids[group] = {
      'access-keys': await idOf('/access-keys', { name: `access-${group}`, grants: [{ role: 'viewer', group: at }] }),
      'api-keys': await idOf('/api-keys', { name: `key-${group}`, grants: [{ role: 'viewer', group: at }] }),
      fleets: await idOf('/fleets', {
        id: `fleet-${group}`,
        name: `fleet-${group}`,
        group: at,
        filter: `id = "device-${group}"`,
      }),
      certificates: await idOf(`/devices/device-${group}/certificates`, {}),
      tokens: await idOf('/provisioning/tokens', { template, expiresAtMs }),
      commands: await idOf(`/devices/device-${group}/commands`, { name: 'go' }),
      jobs: await idOf('/jobs', { id: `job-${group}`, targets: [`device:device-${group}`], document: {} }),
      holds: await idOf('/holds', { target: { kind: 'group', group: at }, reason: `secret of ${group}` }),
    };
  }
  // Who is connected as client "sensor1" belongs to /b.
  await admin('POST', '/devices', { id: CLIENT.clientId, group: '/b' });
  await admin('PUT', '/roles/role-of-all', { permissions: ['devices:read'] });
  for (const role of ['viewer', 'operator', 'engineer', 'administrator']) {
    for (const group of ['/a', '/b']) {
      const made = await admin('POST', '/api-keys', { name: `${role} of ${group}`, group: '/', grants: [{ role, group }] });
      keys.set(`${role} ${group}`, made.json<{ key: string }>().key);
    }
  }
  for (const group of ['a', 'b'] as const) {
    // An import is of those who may all that it may: of whoever began it.
    const headers = { authorization: `Bearer ${keys.get(`administrator /${group}`)}` };
    const draft = { name: `import-${group}`, group: `/${group}`, format: 'csv' };
    ids[group]['device-imports'] = await idOf('/device-imports', draft, headers);
    // So is a change of many shadows.
    const update = { target: [`device-${group}`], desired: { n: 1 } };
    ids[group]['shadow-updates'] = await idOf('/shadow-updates', update, headers);
  }
  const device = parseDeviceId('device-b');
  const letter = {
    partition: 0,
    offset: 1,
    arrivalMs: 1,
    topic: 't',
    code: 'c',
    reason: 'r',
    payload: Buffer.from('p'),
    payloadBytes: 1,
  };
  api.telemetry.letters = [
    { ...letter, device },
    { ...letter, device: parseDeviceId('device-gone') },
  ];
  api.telemetry.quality = [{ device, metric: 't', kind: 'out-of-range', count: 1, lastMs: 1, lastValue: 1 }];
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function admin(method: 'POST' | 'PUT', url: string, payload: object, headers: Record<string, string> = asAdmin) {
  const answer = await api.app.inject({ method, url: `/api/v1${url}`, headers, payload });
  if (answer.statusCode >= 300) expect.fail(`${url}: ${answer.body}`);
  return answer;
}

async function idOf(url: string, payload: object, headers?: Record<string, string>): Promise<string> {
  const made = (await admin('POST', url, payload, headers)).json<Record<string, unknown>>();
  const id = made['id'] ?? made['certificateId'] ?? (made['items'] as { id: string }[] | undefined)?.[0]?.id;
  return typeof id === 'string' ? id : expect.fail(`${url} made something without an id: ${JSON.stringify(made)}`);
}

/** Whatever stands in a path, a query or a body: in /b. */
function namesIn(group: 'a' | 'b', { path }: Operation): Names {
  // What stands before the first parameter, or at the end.
  const kind = /\/([\w-]+)(?:\/\{.*)?$/.exec(path)?.[1] ?? '';
  const names: Record<string, string> = {
    users: `user-${group}`,
    roles: 'role-of-all',
    templates: `template-${group}`,
    claims: `claims-${group}`,
    fleets: `fleet-${group}`,
  };
  return {
    id: ids[group][kind] ?? (kind === 'sessions' ? 'none' : `device-${group}`),
    device: path.includes('/templates/') ? { id: 'unit-${parameters.SerialNumber}', group: `/${group}` } : `device-${group}`,
    deviceId: `device-${group}`,
    command: ids[group]['commands'],
    clientId: group === 'b' ? CLIENT.clientId : 'nobody',
    name: path.includes('/secrets/') ? `secret-${group}` : (names[kind] ?? `new-${group}`),
    value: 'another secret',
    template: `template-${group}`,
    serial: path.includes('{serial}') ? '1' : 'SerialNumber',
    parameters: { SerialNumber: {} },
    expiresAtMs: api.clock.now() + 3_600_000,
    filter: `id = "device-${group}"`,
    group: `/${group}`,
    path: path.includes('{') ? `/${group}` : `/${group}/new`,
    role: 'viewer',
    grants: [{ role: 'viewer', group: `/${group}` }],
    permissions: ['devices:read', 'devices:write'],
    password: 'another horse battery staple',
    current: PASSWORD,
    next: 'another horse battery staple',
    disabled: true,
    displayName: 'somebody else',
  };
}

/** All that is stored, and all that was done: but for when keys were last used. */
async function everything(): Promise<string> {
  const tables: unknown[] = [];
  for (const database of [api.database, api.state.database] as readonly Kysely<unknown>[]) {
    const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'table' order by name`.execute(
      database,
    );
    for (const { name } of rows) {
      const content = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(database);
      tables.push([name, content.rows.map((row) => ({ ...row, used_at_ms: undefined }))]);
    }
  }
  return JSON.stringify([tables, api.telemetry.forgotten, api.cut, api.clients.disconnected, api.sparkplug.asked]);
}

test('the things are there: who is at home in /b sees them', async () => {
  const authorization = `Bearer ${keys.get('administrator /b')}`;
  // What one is told of by name, or by one's own credentials.
  const own = new Set(['getSession', 'getCheckReport', 'getPolicy', 'getDeviceType', 'getDecoder', 'listOwnSessions']);
  for (const operation of operations) {
    const { id, method, permission, everything } = operation;
    if (method !== 'GET' || !operation.path.includes('{') || everything || permission === undefined || own.has(id)) continue;
    const answer = await api.app.inject({ ...requestOf(operation, namesIn('b', operation)), headers: { authorization } });
    expect([id, answer.statusCode]).toEqual([id, 200]);
  }
  for (const [url, seen] of [
    ['/devices', 'device-b'],
    ['/users', 'user-b'],
    ['/access-keys', 'access-b'],
    ['/api-keys', 'key-b'],
    ['/clients', CLIENT.clientId],
    ['/dead-letters', 'device-b'],
    ['/commands', 'device-b'],
    ['/audit', 'device-b'],
    ['/fleets', 'fleet-b'],
    ['/groups', '/b'],
    ['/device-imports', 'import-b'],
    ['/certificates', 'device-b'],
    ['/provisioning/templates', 'template-b'],
    ['/provisioning/claims', 'claims-b'],
  ] as const) {
    const answer = await api.app.inject({ url: `/api/v1${url}`, headers: { authorization } });
    expect([url, answer.body.includes(seen)]).toEqual([url, true]);
  }
});

test.each(['viewer', 'operator', 'engineer', 'administrator'])(
  'a %s of /a changes nothing in /b and sees nothing of it, by any operation',
  async (role) => {
    const authorization = `Bearer ${keys.get(`${role} /a`)}`;
    const before = await everything();
    for (const operation of operations) {
      if (operation.permission === undefined || operation.streams) continue;
      const request = requestOf(operation, namesIn('b', operation));
      const answer = await api.app.inject({ ...request, headers: { ...request.headers, authorization } });
      // GraphQL says in the body what is refused: see graphql/graphql.test.ts; SQL sees less: see ../sql/sql-attacks.test.ts.
      const named = operation.path.includes('{') || (operation.method !== 'GET' && !['graphql', 'runSql'].includes(operation.id));
      if (named)
        expect([operation.id, answer.statusCode]).toEqual([
          operation.id,
          expect.toSatisfy((status) => status >= 400 && status < 500),
        ]);
      if (answer.statusCode < 400) expect([operation.id, leakIn(answer.body)]).toEqual([operation.id, undefined]);
      // Behind it there must be no other answer for what is there and what is not.
      if (answer.statusCode === 404)
        expect(answer.json()).toMatchObject({ details: expect.not.objectContaining({ group: '/b' }) });
    }
    expect(await everything()).toBe(before);
  },
);

test('nobody draws over to /a what stands in /b', async () => {
  const authorization = `Bearer ${keys.get('administrator /a')}`;
  const before = await everything();
  for (const operation of operations) {
    if (operation.permission === undefined || operation.streams || !operation.path.includes('{')) continue;
    const names = { ...namesIn('b', operation), group: '/a', grants: [{ role: 'viewer', group: '/a' }], path: '/a/new' };
    const request = requestOf(operation, names);
    const answer = await api.app.inject({ ...request, headers: { ...request.headers, authorization } });
    expect([operation.id, answer.statusCode]).toEqual([
      operation.id,
      expect.toSatisfy((status) => status >= 400 && status < 500),
    ]);
  }
  expect(await everything()).toBe(before);
});

test('what is out of reach looks exactly like what is not there', async () => {
  const authorization = `Bearer ${keys.get('administrator /a')}`;
  for (const [there, nowhere] of [
    ['/devices/device-b', '/devices/device-x'],
    ['/devices/device-b/telemetry', '/devices/device-x/telemetry'],
    ['/users/user-b', '/users/user-x'],
    ['/clients/sensor1', '/clients/sensorx'],
  ] as const) {
    const [one, other] = await Promise.all(
      [there, nowhere].map(async (url) => await api.app.inject({ url: `/api/v1${url}`, headers: { authorization } })),
    );
    expect(one?.statusCode).toBe(404);
    expect(one?.body.replaceAll(/device-b|user-b|sensor1/g, 'X')).toBe(other?.body.replaceAll(/device-x|user-x|sensorx/g, 'X'));
  }
});

test('of lists, only what is inside is seen, page by page', async () => {
  const authorization = `Bearer ${keys.get('administrator /a')}`;
  const names = async (url: string): Promise<unknown[]> => {
    const answer = await api.app.inject({ url: `/api/v1${url}`, headers: { authorization } });
    expect(answer.statusCode).toBe(200);
    return answer
      .json<{ items: { id?: string; name?: string; device?: string; clientId?: string }[] }>()
      .items.map((item) => item.device ?? item.clientId ?? item.name ?? item.id);
  };
  expect(await names('/devices')).toEqual(['secret of a']);
  expect(await names('/users')).toEqual(['user-a']);
  expect(await names('/access-keys')).toEqual(['access-a']);
  expect(await names('/api-keys')).toEqual(['key-a']);
  expect(await names('/clients')).toEqual([]);
  expect(await names('/dead-letters')).toEqual([]);
  expect(await names('/dead-letters?device=device-b')).toEqual([]);
  expect(await names('/telemetry-quality')).toEqual([]);
  const clients = await api.app.inject({ url: '/api/v1/clients', headers: { authorization } });
  expect(clients.json()).toEqual({ items: [] });
});

/** Where a text tells something of /b: the words that only its things have. */
function leakIn(body: string): string | undefined {
  return [
    '"/b',
    'device-b',
    'user-b',
    'key-b',
    'secret of b',
    'fleet-b',
    'import-b',
    'template-b',
    'claims-b',
    CLIENT.clientId,
    'device-gone',
  ].find((word) => body.includes(word));
}

test('streams are of one’s own things: a trace of another’s client is as of none, and of all clients only for those who see all', async () => {
  for (const role of ['operator', 'administrator']) {
    const authorization = `Bearer ${keys.get(`${role} /a`)}`;
    const ask = async (query: string) => await api.app.inject({ url: `/api/v1/trace?${query}`, headers: { authorization } });
    const there = await ask(`client=${CLIENT.clientId}`);
    const nowhere = await ask('client=nobody');
    expect([there.statusCode, nowhere.statusCode]).toEqual([404, 404]);
    expect(there.body.replaceAll(CLIENT.clientId, 'X')).toBe(nowhere.body.replaceAll('nobody', 'X'));
    expect((await ask('topic=%23')).statusCode).toBe(403);
  }
  expect(api.traces.running.size).toBe(0);
});

test('a live stream of another’s device brings nothing, one’s own does', async () => {
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const update = (id: string) => ({ device: parseDeviceId(id), values: [{ metric: 'm', timeMs: 1, value: 1 }] });
  for (const query of ['', '?devices=device-a,device-b']) {
    const response = await fetch(`${api.app.listeningOrigin}/api/v1/live${query}`, {
      headers: { authorization: `Bearer ${keys.get('viewer /a')}` },
    });
    const reader = (response.body ?? expect.fail()).pipeThrough(new TextDecoderStream()).getReader();
    await expect.poll(() => api.live.watches.size).toBe(1);
    api.live.emit([update('device-b'), update('device-a')]);
    let text = '';
    while (!text.includes('device-a')) text += (await reader.read()).value ?? expect.fail();
    expect([query, leakIn(text), text.includes('stats')]).toEqual([query, undefined, false]);
    await reader.cancel();
    await expect.poll(() => api.live.watches.size).toBe(0);
  }
});

test('a live stream of another’s shadows, commands and jobs brings nothing, one’s own does', async () => {
  for (const query of ['', '?devices=device-a,device-b']) {
    const response = await fetch(`${api.app.listeningOrigin}/api/v1/live/shadows${query}`, {
      headers: { authorization: `Bearer ${keys.get('viewer /a')}` },
    });
    const reader = (response.body ?? expect.fail()).pipeThrough(new TextDecoderStream()).getReader();
    await expect.poll(() => api.state.isWatched('device-b')).toBe(true);
    for (const group of ['b', 'a']) await admin('PUT', `/devices/device-${group}/shadow`, { desired: { n: query.length } });
    const ticking = setInterval(() => api.clock.advance(50), 5);
    let text = '';
    while (!text.includes('device-a')) text += (await reader.read()).value ?? expect.fail();
    clearInterval(ticking);
    expect([query, leakIn(text)]).toEqual([query, undefined]);
    await reader.cancel();
    await expect.poll(() => api.state.isWatched('device-b')).toBe(false);
  }
});
