import type { LightMyRequestResponse } from 'fastify';
import { expect, test } from 'vitest';
import type { OidcSignIn } from '../people/oidc-sign-in.ts';
import { SelsynError } from '../kernel/errors.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import type { ApiDependencies } from './api-dependencies.ts';

const PASSWORD = 'correct horse battery staple';
const NEXT_PASSWORD = 'another horse battery staple';
/** What a browser adds to what a page of this server sends. */
const ownPage = { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:80' } as const;

async function withAnn(overrides: Partial<ApiDependencies> = {}): Promise<TestApi> {
  const api = await openTestApi(overrides);
  const payload = { name: 'ann', password: PASSWORD, grants: [{ role: 'administrator', group: '/' }] };
  expect((await api.app.inject({ method: 'POST', url: '/api/v1/users', headers: asAdmin, payload })).statusCode).toBe(201);
  return api;
}

async function signIn(api: TestApi, more: { payload?: object; headers?: Record<string, string> } = {}) {
  return await api.app.inject({
    method: 'POST',
    url: '/api/v1/session',
    payload: { name: 'ann', password: PASSWORD, ...more.payload },
    headers: { ...ownPage, ...more.headers },
  });
}

function cookieOf(answer: LightMyRequestResponse): string {
  const [{ name, value } = { name: '', value: '' }] = answer.cookies;
  return `${name}=${value}`;
}

test('a sign-in sets a cookie that no script and no other site can use, and the answer does not hold its token', async () => {
  await using api = await withAnn();
  const answer = await signIn(api);
  expect(answer.statusCode).toBe(201);
  expect(answer.headers['cache-control']).toBe('no-store');
  const [cookie] = answer.cookies;
  expect(cookie).toMatchObject({ name: 'selsyn-session', path: '/', httpOnly: true, sameSite: 'Strict' });
  expect(cookie?.secure).toBeUndefined();
  expect(cookie?.domain).toBeUndefined();
  expect(answer.body).not.toContain(cookie?.value);
  const me = await api.app.inject({ url: '/api/v1/session', headers: { cookie: cookieOf(answer) } });
  expect(me.json()).toMatchObject({
    session: { id: answer.json<{ id: string }>().id, method: 'password' },
    me: { kind: 'user', name: 'ann', grants: [{ role: 'administrator', group: '/' }] },
  });
});

test.each([
  ['the public URL is https', { publicUrl: 'https://selsyn.example' }, {}],
  ['a proxy that is trusted says so', { trustedProxies: ['127.0.0.1'] }, { 'x-forwarded-proto': 'https' }],
])('over TLS, the cookie goes over TLS only: %s', async (_why, overrides, headers) => {
  await using api = await withAnn(overrides);
  const answer = await signIn(api, { headers });
  expect(answer.cookies[0]).toMatchObject({
    name: '__Host-selsyn-session',
    path: '/',
    httpOnly: true,
    secure: true,
    sameSite: 'Strict',
  });
  const me = await api.app.inject({ url: '/api/v1/me', headers: { cookie: cookieOf(answer), ...headers } });
  expect(me.statusCode).toBe(200);
});

test('nobody but a trusted proxy says where a request comes from', async () => {
  await using api = await withAnn();
  await signIn(api, { headers: { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' } });
  await using behind = await withAnn({ trustedProxies: ['127.0.0.1'] });
  await signIn(behind, { headers: { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' } });
  const addressIn = async ({ audit }: TestApi) =>
    (await audit.list({ action: 'session.begin', limit: 1 }))[0]?.actor.remoteAddress;
  expect(await addressIn(api)).toBe('127.0.0.1');
  expect(await addressIn(behind)).toBe('203.0.113.7');
});

test('a program may ask for the token instead, and sends it as a key', async () => {
  await using api = await withAnn();
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/session',
    payload: { name: 'ann', password: PASSWORD, token: true },
  });
  expect(answer.cookies).toEqual([]);
  const { token } = answer.json<{ token: string }>();
  const headers = { authorization: `Bearer ${token}` };
  expect((await api.app.inject({ url: '/api/v1/me', headers })).json()).toMatchObject({ name: 'ann' });
  // No cookie, and so nothing that another site could make a browser send.
  const made = await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers, payload: { id: 'd1' } });
  expect(made.statusCode).toBe(201);
});

test.each([
  ['a page of another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['a page of another port of this host', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }],
  ['an older browser’s page of another site', { origin: 'https://evil.example' }],
  ['an older browser’s page of another port', { origin: 'http://localhost:81' }],
  ['a sandboxed page', { origin: 'null' }],
  ['a page that tells nothing', {}],
])('with a cookie, %s changes nothing', async (_who, headers) => {
  await using api = await withAnn();
  const cookie = cookieOf(await signIn(api));
  for (const request of [
    { method: 'POST', url: '/api/v1/devices', payload: { id: 'd1' } },
    { method: 'DELETE', url: '/api/v1/users/ann' },
    { method: 'PUT', url: '/api/v1/roles/evil', payload: { permissions: [] } },
    { method: 'PATCH', url: '/api/v1/users/ann', payload: { disabled: true } },
    { method: 'DELETE', url: '/api/v1/session' },
  ] as const) {
    const answer = await api.app.inject({ ...request, headers: { cookie, ...headers } });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'access.cross-site' });
  }
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie } })).statusCode).toBe(200);
  expect(await api.devices.count()).toBe(0);
});

test.each([
  ['a browser', { 'sec-fetch-site': 'same-origin' }],
  ['an older browser', { origin: 'http://localhost:80', host: 'localhost:80' }],
])('with a cookie, a page of this server in %s changes what its user may', async (_who, headers) => {
  await using api = await withAnn();
  const cookie = cookieOf(await signIn(api));
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/devices',
    payload: { id: 'd1' },
    headers: { cookie, ...headers },
  });
  expect(answer.statusCode).toBe(201);
});

test('over TLS, a page of this server that came by plain HTTP changes nothing: it may be anybody’s', async () => {
  await using api = await withAnn({ trustedProxies: ['127.0.0.1'] });
  const tls = { 'x-forwarded-proto': 'https', host: 'selsyn.example' };
  const cookie = cookieOf(await signIn(api, { headers: tls }));
  const add = async (id: string, origin: string) =>
    await api.app.inject({ method: 'POST', url: '/api/v1/devices', payload: { id }, headers: { cookie, origin, ...tls } });
  expect((await add('d1', 'http://selsyn.example')).statusCode).toBe(403);
  expect((await add('d1', 'https://selsyn.example')).statusCode).toBe(201);
});

test('no other site signs anybody in', async () => {
  await using api = await withAnn();
  const answer = await signIn(api, { headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' } });
  expect(answer.statusCode).toBe(403);
  expect(answer.cookies).toEqual([]);
});

test('a key in the header counts, not the cookie beside it', async () => {
  await using api = await withAnn();
  const cookie = cookieOf(await signIn(api));
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie, authorization: 'Bearer wrong' } })).statusCode).toBe(401);
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie, ...asAdmin } })).json()).toMatchObject({ name: 'admin' });
});

test('signing out ends the session for whoever else has the cookie', async () => {
  await using api = await withAnn();
  const cookie = cookieOf(await signIn(api));
  const out = await api.app.inject({ method: 'DELETE', url: '/api/v1/session', headers: { cookie, ...ownPage } });
  expect(out.statusCode).toBe(204);
  expect(out.cookies[0]).toMatchObject({ name: 'selsyn-session', value: '' });
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie } })).statusCode).toBe(401);
});

test('users see where they are signed in, and end what is not theirs any more', async () => {
  await using api = await withAnn();
  const [here, there] = [cookieOf(await signIn(api)), await signIn(api, { headers: { 'user-agent': 'elsewhere' } })];
  const list = await api.app.inject({ url: '/api/v1/sessions', headers: { cookie: here } });
  expect(list.json<{ items: { userAgent: string }[] }>().items.map(({ userAgent }) => userAgent)).toContain('elsewhere');
  const { id } = there.json<{ id: string }>();
  const headers = { cookie: here, ...ownPage };
  expect((await api.app.inject({ method: 'DELETE', url: `/api/v1/sessions/${id}`, headers })).statusCode).toBe(204);
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie: cookieOf(there) } })).statusCode).toBe(401);
  expect((await api.app.inject({ url: '/api/v1/me', headers: { cookie: here } })).statusCode).toBe(200);
});

test('users change their own password', async () => {
  await using api = await withAnn();
  const headers = { cookie: cookieOf(await signIn(api)), ...ownPage };
  const change = async (payload: object) =>
    await api.app.inject({ method: 'POST', url: '/api/v1/session/password', headers, payload });
  const weak = await change({ current: PASSWORD, next: 'annannannannannann' });
  expect([weak.statusCode, weak.json<{ details: { reasons: string[] } }>().details.reasons]).toEqual([
    422,
    ['is a simple pattern'],
  ]);
  expect((await change({ current: 'wrong', next: NEXT_PASSWORD })).statusCode).toBe(401);
  expect((await change({ current: PASSWORD, next: NEXT_PASSWORD })).statusCode).toBe(204);
  expect((await signIn(api)).statusCode).toBe(401);
  expect((await signIn(api, { payload: { password: NEXT_PASSWORD } })).statusCode).toBe(201);
});

test('who guesses is told how long to wait', async () => {
  await using api = await withAnn();
  for (let n = 0; n < 5; n++) expect((await signIn(api, { payload: { password: 'wrong' } })).statusCode).toBe(401);
  const answer = await signIn(api);
  expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([429, 'access.locked-out']);
  expect(answer.headers['retry-after']).toBe('1');
  expect((await api.app.inject({ method: 'POST', url: '/api/v1/users/ann/unlock', headers: asAdmin })).statusCode).toBe(204);
  expect((await signIn(api)).statusCode).toBe(201);
});

test('a page of sign-in is told how users can sign in', async () => {
  await using api = await openTestApi();
  expect((await api.app.inject('/api/v1/session/methods')).json()).toEqual({ password: true });
});

/** Stands for the identity provider; signing in by a real one is tested in people/oidc-sign-in.test.ts. */
async function withOidc(finish: OidcSignIn['finish']): Promise<TestApi> {
  const plain = await openTestApi();
  const oidc = {
    label: 'Example',
    begin: async (returnTo: string) => ({ url: `https://idp.example/?to=${returnTo}`, pending: 'sealed' }),
    finish,
  } as unknown as OidcSignIn;
  const api = await openTestApi({ people: { ...plain.people, oidcSignIn: oidc }, publicUrl: 'https://selsyn.example' });
  return {
    ...api,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await plain[Symbol.asyncDispose]();
    },
  };
}

test('a browser goes to the identity provider and comes back with a session', async () => {
  const asked: unknown[] = [];
  const session = {
    id: 's',
    method: 'oidc',
    remoteAddress: '',
    userAgent: '',
    createdAtMs: 1,
    seenAtMs: 1,
    expiresAtMs: 9e12,
    token: 'tok',
  } as const;
  await using api = await withOidc(async (...call) => {
    asked.push(call);
    return { session, returnTo: '/devices' };
  });
  expect((await api.app.inject('/api/v1/session/methods')).json()).toEqual({
    password: true,
    oidc: { label: 'Example', url: '/api/v1/session/oidc' },
  });
  const start = await api.app.inject('/api/v1/session/oidc?returnTo=/devices');
  expect([start.statusCode, start.headers.location]).toEqual([302, 'https://idp.example/?to=/devices']);
  // Lax, since the browser comes back from another site.
  expect(start.cookies[0]).toMatchObject({
    name: '__Host-selsyn-oidc',
    value: 'sealed',
    httpOnly: true,
    secure: true,
    sameSite: 'Lax',
    maxAge: 600,
  });
  const back = await api.app.inject({
    url: '/api/v1/session/oidc/callback?code=c&state=s',
    headers: { cookie: '__Host-selsyn-oidc=sealed', 'sec-fetch-site': 'cross-site' },
  });
  expect([back.statusCode, back.headers.location]).toEqual([303, '/devices']);
  expect(asked).toEqual([['code=c&state=s', 'sealed', expect.objectContaining({ remoteAddress: '127.0.0.1' })]]);
  const cookies = Object.fromEntries(back.cookies.map((cookie) => [cookie.name, cookie]));
  expect(cookies['__Host-selsyn-session']).toMatchObject({ value: 'tok', httpOnly: true, secure: true, sameSite: 'Strict' });
  expect(cookies['__Host-selsyn-oidc']).toMatchObject({ value: '' });
});

test('a sign-in that the identity provider does not confirm leads to a page that says so', async () => {
  await using api = await withOidc(async () => {
    throw new SelsynError('access.denied', 'nobody gave them a role here');
  });
  const back = await api.app.inject('/api/v1/session/oidc/callback?error=access_denied');
  expect([back.statusCode, back.headers.location]).toEqual([303, '/?sign-in-failed=access.denied']);
  expect(back.cookies.map(({ name, value }) => [name, value])).toEqual([['__Host-selsyn-oidc', '']]);
});
