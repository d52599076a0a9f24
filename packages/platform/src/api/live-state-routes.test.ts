import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { keyOf } from './graphql/graphql.fixture.ts';

let api: TestApi;
let isClosed: boolean;
beforeEach(async () => {
  api = await openTestApi();
  isClosed = false;
  await api.app.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  if (!isClosed) await api[Symbol.asyncDispose]();
});

/** The events of a stream, from `watching` on. */
async function watch(path: string, headers: Readonly<Record<string, string>> = asAdmin) {
  const response = await fetch(`${api.app.listeningOrigin}/api/v1/live/${path}`, { headers });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (): Promise<readonly [string, unknown] | undefined> => {
    for (;;) {
      const found = /event: (.*)\ndata: (.*)\n\n/.exec(text);
      if (found !== null) {
        text = text.slice(found.index + found[0].length);
        return [found[1] ?? '', JSON.parse(found[2] ?? '')];
      }
      const { value, done } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  };
  expect(await next()).toEqual(['watching', {}]);
  return { next, leave: async () => await reader.cancel() };
}

async function update(device: string, n: number, name?: string): Promise<void> {
  const url = `/api/v1/devices/${device}/${name === undefined ? 'shadow' : `shadows/${name}`}`;
  const answer = await api.app.inject({ method: 'PATCH', url, headers: asAdmin, payload: { desired: { n } } });
  expect(answer.statusCode).toBe(200);
}

/** Looking up groups and fleets takes a moment of the clock. */
async function whileTicking<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => api.clock.advance(50), 5);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

test('changes of a shadow come with their documents, and only of the devices and names that were asked for', async () => {
  await addDevice(api, 'a');
  await addDevice(api, 'b');
  const all = await watch('shadows');
  const named = await watch('shadows?devices=a&shadow=config');
  const classic = await watch('shadows?devices=a&shadow=');
  await update('b', 1, 'config');
  await update('a', 1);
  await update('a', 2, 'config');
  await api.app.inject({ method: 'DELETE', url: '/api/v1/devices/a/shadows/config', headers: asAdmin });
  expect(await all.next()).toEqual([
    'shadow',
    expect.objectContaining({ device: 'b', shadow: 'config', version: 1, change: 'updated' }),
  ]);
  const [, first] = (await classic.next())!;
  expect(first).toEqual({
    device: 'a',
    version: 1,
    change: 'updated',
    documents: expect.objectContaining({ current: expect.objectContaining({ state: { desired: { n: 1 } } }) }),
  });
  expect(await named.next()).toEqual(['shadow', expect.objectContaining({ device: 'a', shadow: 'config' })]);
  expect(await named.next()).toEqual([
    'shadow',
    { device: 'a', shadow: 'config', version: expect.any(Number), change: 'deleted' },
  ]);
  await Promise.all([all.leave(), named.leave(), classic.leave()]);
  await expect.poll(() => api.state.isWatched('a')).toBe(false);
});

test('states of commands and of jobs come each on their own stream', async () => {
  await addDevice(api, 'a');
  const [commands, jobs] = [await watch('commands?devices=a'), await watch('jobs?job=j2')];
  const sent = await api.app.inject({
    method: 'POST',
    url: '/api/graphql',
    headers: asAdmin,
    payload: {
      query:
        'mutation { sendCommand(device: "a", name: "x") { id } j1: createJob(id: "j1", targets: ["device:a"], document: {}) { id } j2: createJob(id: "j2", targets: ["device:a"], document: {}) { id } }',
    },
  });
  const { id } = sent.json<{ data: { sendCommand: { id: string } } }>().data.sendCommand;
  expect(await commands.next()).toEqual(['command', { device: 'a', command: id, state: 'queued' }]);
  expect(await jobs.next()).toEqual(['job', { device: 'a', job: 'j2', execution: 1, status: 'QUEUED' }]);
  await Promise.all([commands.leave(), jobs.leave()]);
});

test('a group, a fleet, a filter and the scope of the caller are heeded, also for a device that joins later', async () => {
  await api.devices.put(
    ['acme/x', 'acme/y', 'beta'].map((group) => ({ id: parseDeviceId(group.replace('/', '-')), group: `/${group}`, tags: [] })),
    'create',
  );
  await api.app.inject({
    method: 'POST',
    url: '/api/v1/fleets',
    headers: asAdmin,
    payload: { id: 'hot', filter: 'tags has "hot"' },
  });
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/acme' }]);
  const streams = {
    group: await watch('shadows?group=/acme/y'),
    fleet: await watch('shadows?fleet=hot'),
    filter: await watch(`shadows?filter=${encodeURIComponent('id like "*-x"')}`),
    scope: await watch('shadows', viewer),
  };
  await whileTicking(async () => {
    await update('beta', 1);
    await api.devices.update(parseDeviceId('beta'), { tags: ['hot'] });
    api.clock.advance(6_000);
    await update('beta', 2);
    await update('acme-x', 1);
    await update('acme-y', 1);
    const seen = async (stream: keyof typeof streams) => (await streams[stream].next())?.[1];
    expect(await seen('group')).toMatchObject({ device: 'acme-y' });
    expect(await seen('fleet')).toMatchObject({ device: 'beta', version: 2 });
    expect(await seen('filter')).toMatchObject({ device: 'acme-x' });
    expect([await seen('scope'), await seen('scope')]).toMatchObject([{ device: 'acme-x' }, { device: 'acme-y' }]);
  });
  await Promise.all(Object.values(streams).map(({ leave }) => leave()));
});

test('a stream ends with a word when the key is taken back, and when the server stops', async () => {
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/' }]);
  const [theirs, ours] = [await watch('jobs', viewer), await watch('jobs')];
  const { items } = (await api.app.inject({ url: '/api/v1/api-keys', headers: asAdmin })).json<{ items: { id: string }[] }>();
  await api.app.inject({ method: 'DELETE', url: `/api/v1/api-keys/${items[0]?.id}`, headers: asAdmin });
  api.clock.advance(5_000);
  expect(await theirs.next()).toEqual(['bye', {}]);
  expect(await theirs.next()).toBeUndefined();
  isClosed = true;
  await api[Symbol.asyncDispose]();
  expect(await ours.next()).toEqual(['bye', {}]);
});

test.each([
  ['shadows?devices=a/b', 400, 'device.invalid-id'],
  ['shadows?fleet=none', 404, 'fleet.not-found'],
  ['shadows?group=acme', 400, 'request.invalid'],
  ['shadows?filter=type+%3D', 400, 'request.invalid'],
  ['shadows?job=x', 400, 'request.invalid'],
  [`jobs?devices=${Array.from({ length: 1_001 }, (_, i) => `d${i}`).join(',')}`, 400, 'request.invalid'],
])('a stream is refused before it begins: %#', async (path, status, code) => {
  const answer = await api.app.inject({ url: `/api/v1/live/${path}`, headers: asAdmin });
  expect([answer.statusCode, answer.json()]).toEqual([status, expect.objectContaining({ code })]);
  expect(api.state.isWatched('a')).toBe(false);
});
