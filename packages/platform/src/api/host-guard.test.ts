import { expect, test } from 'vitest';
import { openTestApi } from './api.fixture.ts';

test.each([
  'localhost',
  'localhost:8080',
  'LOCALHOST',
  'localhost.',
  'app.localhost:1',
  '127.0.0.1:8080',
  '10.1.2.3',
  '[::1]:8080',
  '[::1]',
  'Selsyn.Example:8080',
])('a server on loopback answers to %s', async (host) => {
  await using api = await openTestApi({ allowedHosts: ['selsyn.example'] });
  expect((await api.app.inject({ url: '/healthz', headers: { host } })).statusCode).toBe(200);
});

test.each([
  'evil.example',
  'localhost.evil.example',
  'evil.example:8080',
  '127.0.0.1.evil.example',
  '::1',
  '[evil]',
  'a b',
  'localhost:99999999',
  'localhost@evil.example',
])('a server on loopback refuses %s', async (host) => {
  await using api = await openTestApi({ allowedHosts: ['selsyn.example'] });
  for (const url of ['/healthz', '/', '/openapi.json', '/nothing']) {
    const answer = await api.app.inject({ url, headers: { host } });
    expect(answer.statusCode).toBe(421);
    expect(answer.json()).toMatchObject({ code: 'request.misdirected' });
  }
});

test('a server that others reach takes any name', async () => {
  await using api = await openTestApi({ allowedHosts: undefined });
  expect((await api.app.inject({ url: '/healthz', headers: { host: 'evil.example' } })).statusCode).toBe(200);
});
