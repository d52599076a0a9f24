import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseDeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { addDevice, asAdmin, openTestApi, type TestApi } from '../api.fixture.ts';
import { BoundedStream } from './bounded-stream.ts';
import { ask, keyOf } from './graphql.fixture.ts';

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

/** What a subscription gives: results, in their order, until it ends. */
async function subscribe(query: string, variables: object = {}, headers: Readonly<Record<string, string>> = asAdmin) {
  const response = await fetch(`${api.app.listeningOrigin}/api/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async next(): Promise<unknown> {
      for (;;) {
        const found = /event: next\ndata: (.*)\n\n/.exec(text);
        if (found !== null) {
          text = text.slice(found.index + found[0].length);
          return JSON.parse(found[1] ?? '');
        }
        if (text.includes('event: complete')) return undefined;
        const { value, done } = await reader.read();
        if (done) return undefined;
        text += value;
      }
    },
    leave: async () => await reader.cancel(),
  };
}

const update = async (device: string, n: number, name?: string) =>
  await ask(
    api,
    'mutation ($device: ID!, $name: String, $n: JSON) { updateShadow(device: $device, name: $name, desired: $n) { version } }',
    { device, name, n: { n } },
  );

test('changes of shadows come as they happen, each with the shadow as it is then', async () => {
  await addDevice(api, 'a');
  await addDevice(api, 'b');
  const watch = await subscribe(
    'subscription { shadowChanged(devices: ["a"]) { device name version deleted documents shadow { version desired } } }',
  );
  await update('b', 1);
  await update('a', 1);
  expect(await watch.next()).toEqual({
    data: {
      shadowChanged: {
        device: 'a',
        name: null,
        version: 1,
        deleted: false,
        documents: expect.objectContaining({ current: expect.objectContaining({ version: 1 }) }),
        shadow: { version: 1, desired: { n: 1 } },
      },
    },
  });
  await update('a', 2);
  expect(await watch.next()).toMatchObject({
    data: { shadowChanged: { version: 2, shadow: { version: 2, desired: { n: 2 } } } },
  });
  await watch.leave();
  await expect.poll(() => api.state.isWatched('a')).toBe(false);
});

test('one of one name, of one group, and within what the caller sees', async () => {
  await api.devices.put(
    ['acme', 'beta'].map((group) => ({ id: parseDeviceId(`in-${group}`), group: `/${group}` })),
    'create',
  );
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/acme' }]);
  const scoped = await subscribe('subscription { shadowChanged { device name } }', {}, viewer);
  const named = await subscribe('subscription { shadowChanged(group: "/beta", name: "x") { device name } }');
  await update('in-beta', 1);
  await update('in-beta', 1, 'x');
  await update('in-acme', 1, 'x');
  // Devices are looked up every 50 ms.
  const ticking = setInterval(() => api.clock.advance(50), 5);
  expect(await named.next()).toEqual({ data: { shadowChanged: { device: 'in-beta', name: 'x' } } });
  expect(await scoped.next()).toEqual({ data: { shadowChanged: { device: 'in-acme', name: 'x' } } });
  clearInterval(ticking);
  await Promise.all([scoped.leave(), named.leave()]);
});

test('commands, jobs and points come too', async () => {
  await addDevice(api, 'a');
  const commands = await subscribe('subscription { commandChanged(devices: ["a"]) { device state command { name state } } }');
  const jobs = await subscribe('subscription { jobExecutionChanged(devices: ["a"]) { jobId number status } }');
  const points = await subscribe('subscription { telemetry(devices: ["a"]) { device values { metric value } } }');
  await ask(api, 'mutation { sendCommand(device: "a", name: "go") { id } }');
  expect(await commands.next()).toEqual({
    data: { commandChanged: { device: 'a', state: 'queued', command: { name: 'go', state: 'queued' } } },
  });
  await ask(api, 'mutation { createJob(id: "j", targets: ["device:a"], document: {}) { id } }');
  expect(await jobs.next()).toEqual({ data: { jobExecutionChanged: { jobId: 'j', number: 1, status: 'QUEUED' } } });
  api.live.emit([{ device: parseDeviceId('a'), values: [{ metric: 't', timeMs: 1, value: 2 }] }]);
  expect(await points.next()).toEqual({ data: { telemetry: { device: 'a', values: [{ metric: 't', value: 2 }] } } });
  await Promise.all([commands.leave(), jobs.leave(), points.leave()]);
});

test('it ends with a word when the key is taken back, and when the server stops', async () => {
  await addDevice(api, 'a');
  const viewer = await keyOf(api, [{ role: 'viewer', group: '/' }]);
  const watch = await subscribe('subscription { shadowChanged(devices: ["a"]) { version } }', {}, viewer);
  const other = await subscribe('subscription { shadowChanged(devices: ["a"]) { version } }');
  const { items } = (await api.app.inject({ url: '/api/v1/api-keys', headers: asAdmin })).json<{ items: { id: string }[] }>();
  await api.app.inject({ method: 'DELETE', url: `/api/v1/api-keys/${items[0]?.id}`, headers: asAdmin });
  api.clock.advance(5_000);
  expect(await watch.next()).toMatchObject({ data: null, errors: [{ extensions: { code: 'access.unauthenticated' } }] });
  expect(await watch.next()).toBeUndefined();
  isClosed = true;
  await api[Symbol.asyncDispose]();
  expect(await other.next()).toMatchObject({ errors: [{ extensions: { code: 'server.not-ready' } }] });
  expect(await other.next()).toBeUndefined();
});

test('a subscription that is not allowed, or names nothing that there is, ends at once with the reason', async () => {
  await api.app.inject({ method: 'PUT', url: '/api/v1/roles/few', headers: asAdmin, payload: { permissions: ['devices:read'] } });
  const few = await keyOf(api, [{ role: 'few', group: '/' }]);
  const denied = await subscribe('subscription { shadowChanged { version } }', {}, few);
  expect(await denied.next()).toMatchObject({ errors: [{ extensions: { code: 'access.denied' } }] });
  const unknown = await subscribe('subscription { shadowChanged(fleet: "none") { version } }');
  expect(await unknown.next()).toMatchObject({ errors: [{ extensions: { code: 'fleet.not-found' } }] });
  const wrong = await subscribe('subscription { jobExecutionChanged(devices: ["a/b"]) { status } }');
  expect(await wrong.next()).toMatchObject({ errors: [{ extensions: { code: 'device.invalid-id' } }] });
  expect(await wrong.next()).toBeUndefined();
});

test('a reader that is too slow is told so and let go; what waits for it is bounded', async () => {
  let ended = 0;
  const stream = new BoundedStream<number>(() => ended++);
  for (let n = 0; n < 1_001; n++) stream.push(n);
  stream.push(-1);
  expect(ended).toBe(1);
  expect(await stream.next()).toEqual({
    value: { fault: expect.objectContaining({ code: 'request.rate-limited' }) },
    done: false,
  });
  expect((await stream.next()).done).toBe(true);
});

test('a stream gives in order what comes, faults too, and ends for whoever waits', async () => {
  let ended = 0;
  const stream = new BoundedStream<string>(() => ended++);
  const first = stream.next();
  stream.push('a');
  stream.push('b');
  const fault = new SelsynError('request.rate-limited', 'lost');
  stream.fault(fault);
  expect(await first).toEqual({ value: { value: 'a' }, done: false });
  expect((await stream.next()).value).toEqual({ value: 'b' });
  expect((await stream.next()).value).toEqual({ fault });
  const last = stream.next();
  await stream.return();
  expect((await last).done).toBe(true);
  expect((await stream.next()).done).toBe(true);
  expect(ended).toBe(1);
});
