import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
});
afterAll(async () => await api[Symbol.asyncDispose]());

const post = async (payload: object) => await api.app.inject({ method: 'POST', url: '/api/v1/sql', headers: asAdmin, payload });

test('JSON has columns, rows and what was read', async () => {
  const answer = await post({ sql: 'SELECT 1', limits: { rows: 1, seconds: 2.5 } });
  expect([answer.statusCode, answer.headers['content-type'], answer.json()]).toEqual([
    200,
    'application/json; charset=utf-8',
    {
      columns: [{ name: 'n', type: 'INTEGER' }],
      rows: [[1]],
      limited: true,
      statistics: expect.objectContaining({ storedPoints: 2, elapsedMs: 3 }),
    },
  ]);
  expect(api.sql.requests.at(-1)).toEqual({
    sql: 'SELECT 1',
    format: 'json',
    maxRows: 1,
    deadlineMs: 2_500,
    scope: { groups: ['/'] },
    deviceScope: { groups: ['/'] },
    caller: expect.stringContaining('api-key '),
  });
  expect(api.sql.open).toBe(0);
});

test.each([
  ['csv', 'text/csv; charset=utf-8'],
  ['arrow', 'application/vnd.apache.arrow.stream'],
  ['parquet', 'application/vnd.apache.parquet'],
])('%s is sent as it is, with what was read in headers', async (format, type) => {
  const answer = await post({ sql: 'SELECT 1', format });
  expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([200, type, 'n\n1\n']);
  expect(answer.headers).toMatchObject({ 'selsyn-sql-rows': '1', 'selsyn-sql-limited': 'false', 'content-length': '4' });
  expect(JSON.parse(String(answer.headers['selsyn-sql-statistics']))).toMatchObject({ storedPoints: 2 });
  expect(api.sql.open).toBe(0);
});

test('A query that is wrong is answered with where', async () => {
  api.sql.failure = new SelsynError('sql.invalid', 'syntax error (line 1, column 3)', { details: { line: 1, column: 3 } });
  const answer = await post({ sql: 'SEL' });
  api.sql.failure = undefined;
  expect([answer.statusCode, answer.json()]).toEqual([
    400,
    expect.objectContaining({ code: 'sql.invalid', detail: 'syntax error (line 1, column 3)', details: { line: 1, column: 3 } }),
  ]);
});

test.each([
  {},
  { sql: '' },
  { sql: 'x'.repeat(32_769) },
  { sql: 'SELECT 1 \0 of which nobody hears' },
  { sql: 'SELECT 1', format: 'xml' },
  { sql: 'SELECT 1', limits: { rows: 0 } },
  { sql: 'SELECT 1', more: 1 },
])('The request %j is refused', async (payload) => {
  expect((await post(payload)).statusCode).toBe(400);
});

test('Whoever may read telemetry of a part sees that part, and of the devices those that may be read', async () => {
  const payload = { permissions: ['telemetry:read'] };
  await api.app.inject({ method: 'PUT', url: '/api/v1/roles/reader', headers: asAdmin, payload });
  await api.app.inject({ method: 'POST', url: '/api/v1/groups', headers: asAdmin, payload: { path: '/acme' } });
  const key = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants: [{ role: 'reader', group: '/acme' }] },
  });
  const authorization = `Bearer ${key.json<{ key: string }>().key}`;
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/sql',
    headers: { authorization },
    payload: { sql: 'SELECT 1' },
  });
  expect(answer.statusCode).toBe(200);
  expect(api.sql.requests.at(-1)).toMatchObject({ scope: { groups: ['/acme'] }, deviceScope: { groups: [] } });
});

test('an answer that is ready when its client has gone is given up all the same', async () => {
  await using api = await openTestApi();
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const asked = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  const run = api.sql.run.bind(api.sql);
  api.sql.run = async (request) => {
    asked.resolve();
    await ready.promise;
    return await run(request);
  };
  const { port } = api.app.server.address() as AddressInfo;
  const connected = once(api.app.server, 'connection') as Promise<[Socket]>;
  const request = httpRequest({
    port,
    path: '/api/v1/sql',
    method: 'POST',
    headers: { ...asAdmin, 'content-type': 'application/json' },
  });
  request.on('error', () => undefined);
  request.end(JSON.stringify({ sql: 'SELECT 1' }));
  const [socket] = await connected;
  await asked.promise;
  request.destroy();
  await once(socket, 'close');
  await nextTurn();
  ready.resolve();
  while (api.sql.requests.length === 0) await nextTurn();
  for (let turns = 0; turns < 20; turns++) await nextTurn();
  expect(api.sql.open).toBe(0);
});
