import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { LightMyRequestResponse } from 'fastify';
import { expect, test } from 'vitest';
import { ERRORS, SelsynError, type ErrorCode } from '../kernel/errors.ts';
import { addDevice, asAdmin, openTestApi } from './api.fixture.ts';
import { problemSchema, type Problem } from './problem.ts';

function problemIn(answer: LightMyRequestResponse, code: ErrorCode): Problem {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.strict().parse(answer.json());
  expect(problem).toMatchObject({
    code,
    status: ERRORS[code].status,
    title: ERRORS[code].title,
    type: `urn:selsyn:error:${code}`,
  });
  expect(answer.statusCode).toBe(ERRORS[code].status);
  expect(answer.headers['cache-control']).toBe('no-store');
  return problem;
}

const json = { ...asAdmin, 'content-type': 'application/json' };
const devices = '/api/v1/devices';

test.each([
  ['an address where nothing is', { method: 'GET', url: '/nothing' }, 'route.not-found'],
  [
    'an API address where nothing is',
    { method: 'GET', url: '/api/v1/nothing', headers: { accept: 'text/html' } },
    'route.not-found',
  ],
  ['a method that is not there', { method: 'PUT', url: devices, headers: asAdmin }, 'route.not-found'],
  ['a path that does not decode', { method: 'GET', url: '/api/v1/devices/%ff', headers: asAdmin }, 'request.invalid'],
  ['a body that is no JSON', { method: 'POST', url: devices, headers: json, payload: '{"id":' }, 'request.invalid'],
  ['an empty JSON body', { method: 'POST', url: devices, headers: json, payload: '' }, 'request.invalid'],
  ['no body', { method: 'POST', url: devices, headers: asAdmin }, 'request.invalid'],
  [
    'a body that pollutes prototypes',
    { method: 'POST', url: devices, headers: json, payload: '{"id":"a","__proto__":{"x":1}}' },
    'request.invalid',
  ],
  ['a deep body', { method: 'POST', url: devices, headers: json, payload: '['.repeat(60_000) }, 'request.invalid'],
  [
    'a body of 100 kB',
    { method: 'POST', url: devices, headers: json, payload: JSON.stringify({ id: 'x'.repeat(100_000) }) },
    'request.too-large',
  ],
  [
    'a body of another type',
    { method: 'POST', url: devices, headers: { ...asAdmin, 'content-type': 'text/csv' }, payload: 'id' },
    'request.unsupported-media-type',
  ],
  ['an id that is none', { method: 'POST', url: devices, headers: json, payload: '{"id":"a/b"}' }, 'device.invalid-id'],
  ['an id that is none in the path', { method: 'GET', url: `${devices}/a%20b`, headers: asAdmin }, 'device.invalid-id'],
  ['a very long id in the path', { method: 'GET', url: `${devices}/${'x'.repeat(500)}`, headers: asAdmin }, 'device.invalid-id'],
  ['a device that is not there', { method: 'GET', url: `${devices}/sensor9`, headers: asAdmin }, 'device.not-found'],
  ['a device to remove that is not there', { method: 'DELETE', url: `${devices}/sensor9`, headers: asAdmin }, 'device.not-found'],
  [
    'telemetry of a device that is not there',
    { method: 'GET', url: `${devices}/sensor9/telemetry`, headers: asAdmin },
    'device.not-found',
  ],
  ['a key that is not there', { method: 'DELETE', url: '/api/v1/api-keys/none', headers: asAdmin }, 'api-key.not-found'],
  ['no key', { method: 'GET', url: devices }, 'access.unauthenticated'],
] as const)('%s is answered with a problem document', async (_what, request, code) => {
  await using api = await openTestApi();
  const problem = problemIn(await api.app.inject(request), code);
  expect(problem.instance).toBe(request.url);
});

test('a request that needs no body may have an empty one of the type of JSON', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  const rotated = await api.app.inject({ method: 'POST', url: `${devices}/sensor1/token`, headers: json, payload: '' });
  expect(rotated.statusCode).toBe(200);
  expect((await api.app.inject({ method: 'DELETE', url: `${devices}/sensor1`, headers: json })).statusCode).toBe(204);
});

test('every field that is wrong is named with the reason', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  const answer = await api.app.inject({ url: `${devices}/sensor1/telemetry?limit=many&fn=median&lmit=3`, headers: asAdmin });
  const { details, detail } = problemIn(answer, 'request.invalid');
  expect(details['issues']).toEqual([
    { in: 'query', field: 'limit', message: 'must be a whole number' },
    { in: 'query', field: 'fn', message: expect.stringContaining('"mean"') },
    { in: 'query', field: 'lmit', message: 'there is no such parameter' },
  ]);
  expect(detail).toContain('query lmit: there is no such parameter');
});

test('what goes wrong inside is logged and not told', async () => {
  const lines: unknown[] = [];
  const logLines = { error: (fields: unknown) => lines.push(fields) };
  // Only `error` is used here.
  await using api = await openTestApi({ logLines: logLines as never });
  await addDevice(api, 'sensor1');
  api.telemetry.failure = new Error('the secret of the house');
  const answer = await api.app.inject({ url: `${devices}/sensor1/telemetry?from=1`, headers: asAdmin });
  problemIn(answer, 'internal');
  expect(answer.body).not.toContain('secret');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ code: 'internal', method: 'GET', path: '/api/v1/devices/sensor1/telemetry' });
});

test('a device that does not answer is told to who asked, and is no fault that is logged', async () => {
  const lines: unknown[] = [];
  const logLines = { error: (fields: unknown) => lines.push(fields) };
  // Only `error` is used here.
  await using api = await openTestApi({ logLines: logLines as never });
  await addDevice(api, 'sensor1');
  api.telemetry.failure = new SelsynError('command.unanswered', 'sensor1 has not answered');
  const answer = await api.app.inject({ url: `${devices}/sensor1/telemetry?from=1`, headers: asAdmin });
  expect(problemIn(answer, 'command.unanswered').status).toBe(504);
  expect(lines).toEqual([]);
});

test('an error that may pass says when to try again', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  api.telemetry.failure = new SelsynError('thread.timeout', 'the processor did not answer', { retryable: true });
  const answer = await api.app.inject({ url: `${devices}/sensor1/telemetry/latest`, headers: asAdmin });
  expect(problemIn(answer, 'thread.timeout').detail).toBe('the processor did not answer');
  expect(answer.headers['retry-after']).toBe('1');
});

test('the server is ready once nothing speaks against it', async () => {
  let reason: string | undefined = 'the log is being replayed: 40 %';
  await using api = await openTestApi({ readiness: { reason: () => reason } });
  expect((await api.app.inject('/healthz')).json()).toEqual({ status: 'ok' });
  const waiting = await api.app.inject('/readyz');
  expect(problemIn(waiting, 'server.not-ready').detail).toBe(reason);
  expect(waiting.headers['retry-after']).toBe('1');
  reason = undefined;
  expect((await api.app.inject('/readyz')).json()).toEqual({ status: 'ready' });
});

test.each([
  ['bytes that are no HTTP', 'hello, is this a broker?\r\n\r\n', 'request.invalid'],
  ['an MQTT CONNECT', '\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00', 'request.invalid'],
  ['a header of 100 kB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`, 'request.too-large'],
])('%s on the socket get an answer and the socket is closed', async (_what, bytes, code) => {
  await using api = await openTestApi();
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = api.app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(received).toContain('Content-Type: application/problem+json');
  expect(received).toContain(`"code":"${code}"`);
});
