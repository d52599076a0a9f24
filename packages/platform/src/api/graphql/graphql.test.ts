import { afterEach, beforeEach, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from '../api.fixture.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { ask, keyOf } from './graphql.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

async function add(id: string, more: object = {}): Promise<void> {
  const answer = await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id, ...more } });
  expect(answer.statusCode).toBe(201);
}

test('one request shows devices with their shadows, jobs, commands and newest points', async () => {
  await add('boiler-1', { name: 'Boiler', group: '/acme', attributes: { floor: 2 }, tags: ['hot'] });
  await add('other', { group: '/beta' });
  api.telemetry.latestValues = new Map([
    [
      'boiler-1',
      [
        { metric: 'temp', timeMs: 5, value: 81.5 },
        { metric: 'ok', timeMs: 6, value: true },
      ],
    ],
  ]);
  await ask(api, 'mutation { updateShadow(device: "boiler-1", desired: { mode: "eco" }) { version } }');
  await ask(api, 'mutation { updateShadow(device: "boiler-1", name: "config", reported: { a: [1, 2] }) { version } }');
  await ask(api, 'mutation { sendCommand(device: "boiler-1", name: "reboot", payload: { hard: true }) { id state } }');
  const job = await ask(
    api,
    'mutation { createJob(id: "update-1", targets: ["device:boiler-1"], document: { url: "x" }) { id status selection targets document } }',
  );
  expect(job.data).toEqual({
    createJob: {
      id: 'update-1',
      status: 'IN_PROGRESS',
      selection: 'snapshot',
      targets: ['device:boiler-1'],
      document: { url: 'x' },
    },
  });
  await expect
    .poll(async () => (await ask(api, '{ job(id: "update-1") { counts } }')).data)
    .toEqual({
      job: { counts: expect.objectContaining({ QUEUED: 1 }) },
    });
  const answer = await ask(
    api,
    `query Devices($group: String) {
      devices(filter: "tags has \\"hot\\"", group: $group) {
        total
        cursor
        items {
          id name type group tags attributes
          connectivity { connected }
          latest(metrics: ["temp"]) { metric time value }
          shadow { name version desired effective reported delta }
          config: shadow(name: "config") { name reported delta metadata }
          none: shadow(name: "none") { version }
          shadows { name version }
          jobs { jobId number status job { id targets executions { items { deviceId device { id } } } } }
          commands { name payload state createdBy history { state } answer { payload } device { id } }
        }
      }
    }`,
    { group: '/acme' },
  );
  expect(answer.errors).toBeUndefined();
  expect(answer.data).toEqual({
    devices: {
      total: 1,
      cursor: null,
      items: [
        {
          id: 'boiler-1',
          name: 'Boiler',
          type: null,
          group: '/acme',
          tags: ['hot'],
          attributes: { floor: 2 },
          connectivity: null,
          latest: [{ metric: 'temp', time: 5, value: 81.5 }],
          shadow: {
            name: null,
            version: 1,
            desired: { mode: 'eco' },
            effective: { mode: 'eco' },
            reported: {},
            delta: { mode: 'eco' },
          },
          config: {
            name: 'config',
            reported: { a: [1, 2] },
            delta: null,
            metadata: { reported: { a: { atMs: 1_700_000_000_000, version: 1 } } },
          },
          none: null,
          shadows: [
            { name: null, version: 1 },
            { name: 'config', version: 1 },
          ],
          jobs: [
            {
              jobId: 'update-1',
              number: 1,
              status: 'QUEUED',
              job: {
                id: 'update-1',
                targets: ['device:boiler-1'],
                executions: { items: [{ deviceId: 'boiler-1', device: { id: 'boiler-1' } }] },
              },
            },
          ],
          commands: [
            {
              name: 'reboot',
              payload: { hard: true },
              state: 'queued',
              createdBy: expect.any(String),
              history: [{ state: 'queued' }],
              answer: null,
              device: { id: 'boiler-1' },
            },
          ],
        },
      ],
    },
  });
});

test('pages go on where the one before ended', async () => {
  for (const id of ['a', 'b', 'c']) await add(id);
  const first = await ask(api, '{ devices(first: 2) { cursor items { id } } }');
  const { cursor, items } = (first.data ?? {})['devices'] as { cursor: string; items: object[] };
  expect(items).toEqual([{ id: 'a' }, { id: 'b' }]);
  const rest = await ask(api, 'query ($after: String) { devices(first: 2, after: $after) { cursor items { id } } }', {
    after: cursor,
  });
  expect(rest.data).toEqual({ devices: { cursor: null, items: [{ id: 'c' }] } });
});

test('groups, fleets, jobs and commands can be asked for by themselves', async () => {
  await add('a', { group: '/acme/x' });
  await api.app.inject({
    method: 'POST',
    url: '/api/v1/fleets',
    headers: asAdmin,
    payload: { id: 'all', filter: 'connected = false', group: '/acme' },
  });
  await ask(api, 'mutation { createJob(id: "j1", targets: ["device:a"], document: {}) { id } }');
  await ask(api, 'mutation { createJob(id: "j2", targets: ["device:a"], document: {}) { id } }');
  const cancelled = await ask(api, 'mutation { cancelJob(id: "j1", force: true) { id status } }');
  expect(cancelled.data).toEqual({ cancelJob: { id: 'j1', status: 'CANCELED' } });
  await ask(api, 'mutation { sendCommand(device: "a", name: "x") { id } }');
  const answer = await ask(
    api,
    `{
      groups(parent: "/acme") { items { path devices devicesBelow } }
      fleets { id name devices }
      fleet(id: "all") { id }
      nothing: fleet(id: "none") { id }
      jobs(first: 1) { cursor items { id status } }
      canceled: jobs(status: CANCELED) { items { id } }
      job(id: "none") { id }
      commands(device: "a", states: [queued]) { items { name device { id } } }
      failed: commands(states: [failed]) { items { name } }
      device(id: "a") { id group }
      nobody: device(id: "nobody") { id }
      noId: device(id: "a/b") { id }
    }`,
  );
  expect(answer).toEqual({
    status: 200,
    data: {
      groups: { items: [{ path: '/acme/x', devices: 1, devicesBelow: 1 }] },
      fleets: [{ id: 'all', name: 'all', devices: 1 }],
      fleet: { id: 'all' },
      nothing: null,
      jobs: { cursor: expect.any(String), items: [expect.objectContaining({ id: 'j2' })] },
      canceled: { items: [{ id: 'j1' }] },
      job: null,
      commands: { items: [{ name: 'x', device: { id: 'a' } }] },
      failed: { items: [] },
      device: { id: 'a', group: '/acme/x' },
      nobody: null,
      noId: null,
    },
  });
});

test('an error has the code, the facts and the path of its field, and the other fields are given', async () => {
  await add('a');
  const answer = await ask(
    api,
    `mutation {
      updateShadow(device: "a", desired: { n: 1 }) { version }
      late: updateShadow(device: "a", desired: { n: 2 }, expectedVersion: 7) { version }
    }`,
  );
  expect(answer).toMatchObject({
    status: 200,
    data: { updateShadow: { version: 1 }, late: null },
    errors: [{ path: ['late'], extensions: { code: 'shadow.conflict', details: { version: 1 } } }],
  });
  const codes = async (query: string) => (await ask(api, query)).errors?.map(({ extensions }) => extensions.code);
  expect(await codes('mutation { updateShadow(device: "nobody", desired: {}) { version } }')).toEqual(['device.not-found']);
  expect(await codes('mutation { updateShadow(device: "a", desired: { x: [null] }) { version } }')).toEqual(['shadow.invalid']);
  expect(await codes('mutation { updateShadow(device: "a", desired: 5) { version } }')).toEqual(['request.invalid']);
  expect(await codes('mutation { sendCommand(device: "nobody", name: "x") { id } }')).toEqual(['device.not-found']);
  expect(await codes('mutation { cancelJob(id: "nobody") { id } }')).toEqual(['job.not-found']);
  expect(
    await codes('mutation { createJob(id: "j", targets: ["device:a"], document: {}, config: { rollout: 1 }) { id } }'),
  ).toEqual(['request.invalid']);
  expect(await codes('{ devices(filter: "type =") { total } }')).toEqual(['request.invalid']);
  expect(await codes('{ devices(first: 0) { total } }')).toEqual(['request.invalid']);
  expect(await codes('{ devices { nonsense } }')).toEqual(['request.invalid']);
  expect(await codes('{ devices {')).toEqual(['request.invalid']);
});

test('a fault of the server is told as little as by REST', async () => {
  await add('a');
  api.telemetry.failure = new Error('the secret of the store');
  const answer = await ask(api, '{ device(id: "a") { id latest { value } } }');
  expect(answer).toMatchObject({ data: { device: { id: 'a', latest: null } }, errors: [{ extensions: { code: 'internal' } }] });
  expect(JSON.stringify(answer)).not.toContain('secret');
});

test('a field asks for its own permission, and what is out of the scope looks not there', async () => {
  await add('mine', { group: '/acme' });
  await add('theirs', { group: '/beta' });
  for (const id of ['mine', 'theirs']) {
    await ask(api, `mutation { updateShadow(device: "${id}", desired: { n: 1 }) { version } }`);
    await ask(api, `mutation { sendCommand(device: "${id}", name: "x") { id } }`);
  }
  await ask(api, 'mutation { createJob(id: "beta-job", targets: ["device:theirs"], document: {}) { id } }');
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/acme' }]);
  const seen = await ask(
    api,
    '{ devices { items { id shadow { version } commands { name } } } device(id: "theirs") { id } commands { items { deviceId } } job(id: "beta-job") { id } jobs { items { id } } }',
    {},
    viewer,
  );
  expect(seen).toEqual({
    status: 200,
    data: {
      devices: { items: [{ id: 'mine', shadow: { version: 1 }, commands: [{ name: 'x' }] }] },
      device: null,
      commands: { items: [{ deviceId: 'mine' }] },
      job: null,
      jobs: { items: [] },
    },
  });
  for (const mutation of [
    'updateShadow(device: "mine", desired: {}) { version }',
    'sendCommand(device: "mine", name: "x") { id }',
    'createJob(id: "j", targets: ["device:mine"], document: {}) { id }',
    'cancelJob(id: "beta-job") { id }',
  ]) {
    const denied = await ask(api, `mutation { ${mutation} }`, {}, viewer);
    expect([mutation, denied.errors?.map(({ extensions }) => extensions.code)]).toEqual([mutation, ['access.denied']]);
  }
  const operator = await keyOf(api, [{ role: 'operator', group: '/acme' }]);
  for (const [mutation, code] of [
    ['updateShadow(device: "theirs", desired: {}) { version }', 'device.not-found'],
    ['sendCommand(device: "theirs", name: "x") { id }', 'device.not-found'],
    ['createJob(id: "j", targets: ["device:theirs"], document: {}) { id }', 'device.not-found'],
    ['cancelJob(id: "beta-job") { id }', 'job.not-found'],
  ] as const) {
    const denied = await ask(api, `mutation { ${mutation} }`, {}, operator);
    expect([mutation, denied.errors?.map(({ extensions }) => extensions.code)]).toEqual([mutation, [code]]);
  }
});

test('a role that may see devices and no shadows gets an error for the one, and the other', async () => {
  await add('a', { group: '/acme' });
  await api.app.inject({
    method: 'PUT',
    url: '/api/v1/roles/devices-only',
    headers: asAdmin,
    payload: { permissions: ['devices:read', 'shadows:read'] },
  });
  // Shadows only elsewhere: those of this device look not there.
  const mixed = await keyOf(api, [{ role: 'viewer', group: '/elsewhere' }]);
  expect((await ask(api, '{ devices { items { id } } }', {}, mixed)).data).toEqual({ devices: { items: [] } });
  const limited = await keyOf(api, [{ role: 'devices-only', group: '/acme' }]);
  const answer = await ask(api, '{ device(id: "a") { id shadow { version } latest { value } } }', {}, limited);
  expect(answer).toMatchObject({
    data: { device: { id: 'a', shadow: null, latest: null } },
    errors: [{ path: ['device', 'latest'], extensions: { code: 'access.denied', details: { permission: 'telemetry:read' } } }],
  });
});

test('without a key, with several operations at once, by GET, or with another media type nothing is done', async () => {
  expect((await api.app.inject({ method: 'POST', url: '/api/graphql', payload: { query: '{ __typename }' } })).statusCode).toBe(
    401,
  );
  expect((await api.app.inject({ url: '/api/graphql?query={__typename}', headers: asAdmin })).statusCode).toBe(404);
  const post = async (payload: object | string, type = 'application/json') =>
    (await api.app.inject({ method: 'POST', url: '/api/graphql', headers: { ...asAdmin, 'content-type': type }, payload }))
      .statusCode;
  expect(await post([{ query: '{ __typename }' }])).toBe(400);
  expect(await post({ query: '{ __typename }', sneaky: 1 })).toBe(400);
  expect(await post('query={__typename}', 'application/x-www-form-urlencoded')).toBe(415);
  expect(await post('{ __typename }', 'application/graphql')).toBe(415);
  expect(await post('{"query":"{ __typename }"}', 'text/plain')).toBe(415);
  expect(await post({ query: '{ __typename }' })).toBe(200);
});

test('a command that was waited for is not sent once the wait is over, unless it says until when it may be', async () => {
  await add('late');
  const sending = [
    ask(api, 'mutation { sendCommand(device: "late", name: "valve", waitMs: 5000) { id } }'),
    ask(
      api,
      `mutation { sendCommand(device: "late", name: "later", waitMs: 5000, expiresAt: ${api.clock.now() + 3_600_000}) { id } }`,
    ),
  ];
  const list = async () => {
    const { data } = await ask(api, '{ commands(device: "late") { items { name state } } }');
    return (data as { commands: { items: { name: string; state: string }[] } }).commands.items;
  };
  await expect.poll(async () => (await list()).length).toBe(2);
  await expect
    .poll(async () => {
      api.clock.advance(1_000);
      return (await list()).find(({ name }) => name === 'valve')?.state;
    })
    .toBe('expired');
  expect((await list()).find(({ name }) => name === 'later')?.state).toBe('queued');
  await Promise.all(sending);
});

test('the schema can be asked for by whoever is signed in, whatever they may', async () => {
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/acme' }]);
  const { getIntrospectionQuery } = await import('graphql');
  const answer = await ask(api, getIntrospectionQuery(), {}, viewer);
  expect(answer.errors).toBeUndefined();
  expect(answer.data?.['__schema']).toBeDefined();
});

test('a JSON value that is far too deep is refused, as a literal and as a variable', async () => {
  await addDevice(api, 'a');
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const literal = async (levels: number) =>
    await ask(api, `mutation { updateShadow(device: "a", desired: { a: ${nested(levels)} }) { version } }`);
  expect((await literal(70)).errors?.map(({ extensions }) => extensions.code)).toEqual(['request.invalid']);
  expect(await literal(2_000)).toMatchObject({ status: 400, code: 'request.invalid' });
  const query = 'mutation ($d: JSON) { updateShadow(device: "a", desired: $d) { version } }';
  const variable = await ask(api, query, { d: { a: JSON.parse(nested(2_000)) as unknown } });
  expect([variable.status, variable]).toEqual([400, expect.objectContaining({ code: 'request.invalid' })]);
});

test('telemetry that is broken does not keep devices from being shown', async () => {
  await addDevice(api, 'a');
  api.telemetry.latestValues = new Map([[parseDeviceId('a'), []]]);
  expect((await ask(api, '{ device(id: "a") { latest { value } } }')).data).toEqual({ device: { latest: [] } });
});
