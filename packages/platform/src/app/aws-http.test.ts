import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openTestApi, type TestApi } from '../api/api.fixture.ts';
import { awsRoutes, type AwsStateCalls } from '../gateways/http/aws/aws-routes.ts';
import type { Publication } from '../gateways/http/aws/messaging.ts';
import { RequestAuthorizer } from '../identity/request-authorizer.ts';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import type { HeldAccessKey } from '../people/access-key-lookup.ts';
import { BUILT_IN_ROLES } from '../people/permissions.ts';
import { DeviceStore } from '../registry/device-store.ts';

const KEY = 'AKSYABCDEFGHIJKLMNOP';
const SECRET = 'secret';
const HELD: HeldAccessKey = {
  id: KEY,
  name: 'tool',
  secret: SECRET,
  holder: { grants: [{ group: '/', permissions: BUILT_IN_ROLES.operator }] },
  usedAtMs: undefined,
};

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
  const fail = async (): Promise<never> => {
    throw made.fault ?? new Error('not asked for here');
  };
  const calls: AwsStateCalls = {
    awsShadow: async () => (made.fault === undefined ? { status: 200, body: '{"version":1}' } : await fail()),
    askJobs: fail,
    sendCommand: fail,
    awaitCommand: fail,
  };
  const api = await openTestApi(({ database, clock, audit }) => ({
    deviceRoutes: () =>
      awsRoutes({
        state: localCaller(calls),
        shadowStore: { list: async () => [] },
        accessKeys: { find: async (id) => (id === KEY ? HELD : undefined), noteUse: async () => undefined },
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
          listRetained: async () => [],
        },
        connections: { find: async () => [], disconnect: async () => 0, sendDirect: async () => 'no-client' },
        audit,
        maxPayloadBytes: 1_000,
        clock,
        logLines: silentLogLines,
      }),
  }));
  const made: Made = {
    api,
    published,
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
  expect(made.published[0]).toMatchObject({ qos: 0, retain: false, principalId: KEY, properties: undefined });
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
  ];
  for (const options of cases)
    expect(await made.send('POST', '/topics/a', options)).toMatchObject({ status: 400, type: 'InvalidRequestException' });
  expect(made.published).toEqual([]);
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
