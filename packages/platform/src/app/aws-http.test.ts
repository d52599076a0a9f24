import { createHash, createHmac, randomBytes } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openTestApi, type TestApi } from '../api/api.fixture.ts';
import { awsRoutes, type AwsStateCalls } from '../gateways/http/aws/aws-routes.ts';
import type { Publication } from '../gateways/http/aws/messaging.ts';
import { RequestAuthorizer } from '../identity/request-authorizer.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import type { Grant } from '../people/caller.ts';
import { BUILT_IN_ROLES, type Permission } from '../people/permissions.ts';
import { SealedText } from '../people/sealed-text.ts';
import { DeviceStore } from '../registry/device-store.ts';

const KEY = 'AKSYABCDEFGHIJKLMNOP';
const SECRET = 'secret';
const OPERATOR: readonly Grant[] = [{ group: '/', permissions: BUILT_IN_ROLES.operator }];

class Sha256 {
  readonly #hash;
  constructor(secret?: unknown) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

interface Made extends AsyncDisposable {
  readonly api: TestApi;
  readonly published: Publication[];
  /** Shadows that were asked for. */
  readonly asked: string[];
  /** Topics with retained messages. */
  retained: readonly string[];
  /** What answers wait for. */
  waiting: Promise<void>;
  /** Whose key it is. */
  device: string | undefined;
  /** What the key may do. */
  grants: readonly Grant[];
  /** What the broker says next. */
  code: number;
  fault: Error | undefined;
  send(
    method: string,
    path: string,
    options?: { query?: Record<string, string>; body?: string; headers?: Record<string, string> },
  ): Promise<{
    status: number;
    type: unknown;
    body: Record<string, unknown>;
    requestId: unknown;
  }>;
}

async function open(): Promise<Made> {
  const published: Publication[] = [];
  const asked: string[] = [];
  const fail = async (): Promise<never> => {
    throw made.fault ?? new Error('not asked for here');
  };
  const calls: AwsStateCalls = {
    awsShadow: async ({ shadow }) => {
      asked.push(shadow);
      await made.waiting;
      return made.fault === undefined ? { status: 200, body: '{"version":1}' } : await fail();
    },
    askJobs: fail,
    sendCommand: fail,
    awaitCommand: fail,
  };
  const api = await openTestApi(({ database, clock, audit }) => ({
    deviceRoutes: () =>
      awsRoutes({
        state: localCaller(calls),
        shadowStore: { list: async () => [] },
        accessKeys: {
          find: async (id) =>
            id === KEY
              ? {
                  id,
                  name: 'tool',
                  secret: SECRET,
                  holder: made.device === undefined ? { grants: made.grants } : { device: made.device },
                  usedAtMs: undefined,
                }
              : undefined,
          noteUse: async () => undefined,
        },
        authorizer: new RequestAuthorizer({
          database,
          clock,
          desk: { firstUsed: () => undefined, registerJustInTime: async () => false },
        }),
        devices: new DeviceStore({ database, clock }),
        messaging: {
          publish: async (publication) => {
            published.push(publication);
            return made.code;
          },
          retained: async () => undefined,
          listRetained: async ({ after = '', limit }) =>
            made.retained
              .filter((topic) => topic > after)
              .slice(0, limit)
              .map((topic) => ({ topic, sizeBytes: 1, qos: 0 })),
        },
        connections: { find: async () => [], disconnect: async () => 0, sendDirect: async () => 'no-client' },
        audit,
        maxPayloadBytes: 1_000,
        clock,
        cursors: new SealedText({ secret: 's', purpose: 'cursor', random: randomBytes }),
        logLines: silentLogLines,
      }),
  }));
  const made: Made = {
    api,
    published,
    asked,
    retained: [],
    waiting: Promise.resolve(),
    device: undefined,
    grants: OPERATOR,
    code: 0,
    fault: undefined,
    async send(method, path, { query = {}, body = '', headers = {} } = {}) {
      const signer = new SignatureV4({
        credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
        region: 'eu-central-1',
        service: 'iotdata',
        sha256: Sha256,
      });
      const request = {
        method,
        path,
        query,
        body,
        protocol: 'https:',
        hostname: 'x',
        headers: { ...headers, host: 'localhost:80' },
      };
      const signed = await signer.sign(request, { signingDate: new Date(api.clock.now()) });
      const search = new URLSearchParams(query).toString().replaceAll('+', '%20');
      const url = `${path}${search === '' ? '' : `?${search}`}`;
      const answer = await api.app.inject({ method: method as 'GET', url, headers: signed.headers, payload: body });
      return {
        status: answer.statusCode,
        type: answer.headers['x-amzn-errortype'],
        body: answer.json<Record<string, unknown>>(),
        requestId: answer.headers['x-amzn-requestid'],
      };
    },
    [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose](),
  };
  return made;
}

it('what goes wrong inside is told by a name that the SDKs know, and nothing else of it', async () => {
  await using made = await open();
  const shadow = async () => await made.send('GET', '/things/a/shadow');
  expect(await shadow()).toMatchObject({ status: 200, type: undefined, body: { version: 1 } });
  made.fault = new Error('the password is 1234');
  const inside = await shadow();
  expect(inside).toMatchObject({ status: 500, type: 'InternalFailureException', body: { message: 'Internal service failure' } });
  expect(inside.body['traceId']).toBe(inside.requestId);
  made.fault = new SelsynError('state.busy', 'too many changes wait', { retryable: true });
  expect(await shadow()).toMatchObject({ status: 503, type: 'ServiceUnavailableException' });
  made.fault = new SelsynError('thread.gone', 'a thread has ended');
  expect(await shadow()).toMatchObject({ status: 503, type: 'ServiceUnavailableException' });
});

it.each([
  [0x97, 429, 'ThrottlingException'],
  [0x87, 403, 'ForbiddenException'],
  [0x90, 400, 'InvalidRequestException'],
  [0x99, 400, 'InvalidRequestException'],
  [0x83, 500, 'InternalFailureException'],
  [0x10, 200, undefined],
  [0, 200, undefined],
])('a message that the broker answers with %i is answered %i %s', async (code, status, type) => {
  await using made = await open();
  made.code = code;
  expect(await made.send('POST', '/topics/a%2Fb', { query: { qos: '1' }, body: 'x' })).toMatchObject({ status, type });
});

it('the topic is what stands in the path, once decoded, whether its slashes are encoded or not', async () => {
  await using made = await open();
  for (const path of ['/topics/a%2Fb%20c%252F', '/topics/a/b%20c%252F', '/topics/%2F', '/topics/plain'])
    expect(await made.send('POST', path, { body: 'x' })).toMatchObject({ status: 200 });
  expect(made.published.map(({ topic }) => topic)).toEqual(['a/b c%2F', 'a/b c%2F', '/', 'plain']);
  expect(made.published[0]).toMatchObject({ qos: 0, retain: false, principalId: `access-key/${KEY}`, properties: undefined });
});

it('properties that are none are refused', async () => {
  await using made = await open();
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
  const user = 'x-amz-mqtt5-user-properties';
  const cases: readonly { query?: Record<string, string>; headers?: Record<string, string> }[] = [
    { query: { qos: '2' } },
    { query: { retain: 'maybe' } },
    { query: { messageExpiry: '0' } },
    { query: { messageExpiry: '4294967296' } },
    { query: { responseTopic: 'a/+' } },
    { headers: { [user]: 'not base64!' } },
    { headers: { [user]: base64({}) } },
    { headers: { [user]: base64([1]) } },
    { headers: { [user]: base64([{ a: 1 }]) } },
    { headers: { 'x-amz-mqtt5-correlation-data': '***' } },
    { headers: { 'x-amz-mqtt5-payload-format-indicator': 'TEXT' } },
    // No subscriber could read the packet.
    { query: { contentType: 'a\0' } },
    { headers: { [user]: base64([{ 'a\0': 'b' }]) } },
    { headers: { [user]: base64([{ a: '\0' }]) } },
    { headers: { [user]: base64([{ a: '\ud800' }]) } },
  ];
  for (const options of cases)
    expect(await made.send('POST', '/topics/a', options)).toMatchObject({ status: 400, type: 'InvalidRequestException' });
  expect(made.published).toEqual([]);
});

it.each(['#', '+', 'a/b', '../x', 'a\0', 'x'.repeat(65), 'é'])('a shadow has no such name as %j', async (name) => {
  await using made = await open();
  for (const method of ['GET', 'POST', 'DELETE'])
    expect(await made.send(method, '/things/a/shadow', { query: { name } })).toMatchObject({
      status: 400,
      type: 'InvalidRequestException',
    });
  expect(made.asked).toEqual([]);
});

it.each<[string, Permission]>([
  ['$aws/things/sensor1/shadow/update', 'shadows:write'],
  ['$aws/things/sensor1/shadow/name/n/update/delta', 'shadows:write'],
  ['$aws/things/sensor1/jobs/j/update', 'jobs:write'],
  ['$aws/things/sensor1/jobs/notify-next', 'jobs:write'],
  ['devices/sensor1/commands/c', 'commands:write'],
  ['devices/sensor1/commands/c/answer', 'commands:write'],
  ['v1/devices/me/rpc/request/1', 'commands:write'],
])('to publish on %s a program needs %s too', async (topic, permission) => {
  await using made = await open();
  const publish = async () => await made.send('POST', `/topics/${encodeURIComponent(topic)}`, { body: '{}' });
  made.grants = [{ group: '/', permissions: new Set<Permission>(['messages:write']) }];
  expect(await publish()).toMatchObject({ status: 403, type: 'ForbiddenException' });
  expect(made.published).toEqual([]);
  made.grants = [...made.grants, { group: '/', permissions: new Set([permission]) }];
  expect(await publish()).toMatchObject({ status: 200 });
  const trail = await made.api.audit.list({ limit: 10 });
  expect(trail.filter(({ action }) => action === 'message.publish')).toMatchObject([{ actor: { id: KEY }, after: { topic } }]);
});

it.each(['$aws/certificates/create/json', '$aws/provisioning-templates/t/provision/json'])(
  'nobody enrols on %s: the answer would reach nobody',
  async (topic) => {
    await using made = await open();
    await made.api.devices.create({ id: parseDeviceId('sensor1') });
    for (const device of [undefined, 'sensor1']) {
      made.device = device;
      const answer = await made.send('POST', `/topics/${encodeURIComponent(topic)}`, { body: '{}' });
      expect(answer).toMatchObject({ status: 403, type: 'ForbiddenException' });
    }
  },
);

it('where a listing goes on says nothing of what the caller does not see', async () => {
  await using made = await open();
  made.grants = [{ group: '/elsewhere', permissions: BUILT_IN_ROLES.operator }];
  made.retained = Array.from({ length: 12 }, (_, n) => `devices/sensor1/secret-${n + 10}`);
  const list = async (nextToken?: string) =>
    await made.send('GET', '/retainedMessage', { query: { maxResults: '1', ...(nextToken !== undefined && { nextToken }) } });
  let pages = 1;
  let page = await list();
  for (; page.body['nextToken'] !== undefined; pages++) {
    const token = page.body['nextToken'] as string;
    expect(page.body['retainedTopics']).toEqual([]);
    expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('secret');
    page = await list(token);
  }
  expect(pages).toBe(3);
  // Nobody makes one of their own.
  for (const token of ['devices', Buffer.from('devices/sensor1/secret-11'.padStart(60)).toString('base64url')])
    expect(await list(token)).toMatchObject({ status: 400, type: 'InvalidRequestException' });
});

it('a device has ten requests under way at most; programs have as many as they like', async () => {
  await using made = await open();
  let release = (): void => undefined;
  const answered = new Promise<void>((resolve) => (release = resolve));
  made.waiting = answered;
  const statuses = async (count: number): Promise<number[]> => {
    const asked = Array.from({ length: count }, async () => (await made.send('GET', '/things/sensor1/shadow')).status);
    await expect.poll(() => made.asked.length).toBe(Math.min(count, made.device === undefined ? count : 10));
    made.asked.length = 0;
    release();
    return (await Promise.all(asked)).toSorted((one, other) => one - other);
  };
  await made.api.devices.create({ id: parseDeviceId('sensor1') });
  made.device = 'sensor1';
  expect(await statuses(12)).toEqual([...Array<number>(10).fill(200), 429, 429]);
  expect(await statuses(1)).toEqual([200]);
  made.device = undefined;
  expect(await statuses(12)).toEqual(Array<number>(12).fill(200));
});

it('a body that is too long is not read to its end', async () => {
  await using made = await open();
  const answer = await made.send('POST', '/topics/a', { body: 'x'.repeat(1_001) });
  expect(answer).toMatchObject({ status: 413, type: 'RequestEntityTooLargeException' });
});

it('whatever comes is answered as AWS would, and published by nobody who is not known', async () => {
  await using made = await open();
  const path = fc.oneof(
    fc.constantFrom(
      '/things/a/shadow',
      '/topics/a',
      '/retainedMessage',
      '/connections/c',
      '/things/a/jobs/$next',
      '/command-executions',
    ),
    fc.webPath().map((rest) => `/topics${rest}`),
  );
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    path,
    query: fc.oneof(
      fc.constant(''),
      fc.webQueryParameters(),
      fc.constant('X-Amz-Algorithm=AWS4-HMAC-SHA256'),
      fc.constant('%ff=%zz'),
    ),
    authorization: fc.option(
      fc.oneof(
        fc.stringMatching(/^[!-~]{1,60}$/),
        fc.stringMatching(/^[!-~]{1,60}$/).map((rest) => `AWS4-HMAC-SHA256 Credential=${rest}`),
      ),
    ),
    date: fc.option(fc.stringMatching(/^[!-~]{1,20}$/)),
    body: fc.string(),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path: where, query, authorization, date, body }) => {
      const answer = await made.api.app.inject({
        method: method as 'GET',
        url: query === '' ? where : `${where}?${query}`,
        headers: {
          'content-type': 'application/octet-stream',
          ...(authorization !== null && { authorization }),
          ...(date !== null && { 'x-amz-date': date }),
        },
        payload: body,
      });
      expect(answer.statusCode).toBeGreaterThanOrEqual(400);
      expect(answer.statusCode).toBeLessThan(500);
    }),
    { numRuns: 100 },
  );
  expect(made.published).toEqual([]);
});
