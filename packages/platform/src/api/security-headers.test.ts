import { expect, test } from 'vitest';
import { asAdmin, openTestApi } from './api.fixture.ts';

const EXPECTED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};

test.each(['/healthz', '/api/v1/me', '/api/v1/nothing', '/openapi.json'])('%s tells a browser to be careful', async (url) => {
  await using api = await openTestApi();
  const { headers } = await api.app.inject(url);
  expect(headers).toMatchObject(EXPECTED);
  expect(headers['content-security-policy']).toContain("default-src 'self'");
  expect(headers).not.toHaveProperty('x-powered-by');
});

test.each([
  ['a host that is not served', 421, { url: '/healthz', headers: { host: 'evil.example' } }],
  ['a name that is too long', 413, { url: `/api/v1/devices/${'a'.repeat(2000)}`, headers: asAdmin }],
  [
    'a body that is too long',
    413,
    { url: '/api/v1/devices', headers: asAdmin, method: 'POST', payload: { id: 'a'.repeat(70_000) } },
  ],
  ['a redirect', 301, { url: '/docs' }],
] as const)('%s is answered with them, too', async (_, status, request) => {
  await using api = await openTestApi({ allowedHosts: [] });
  const answer = await api.app.inject(request);
  expect(answer.statusCode).toBe(status);
  expect(answer.headers).toMatchObject(EXPECTED);
});

test('so are streams, which do not end, and what is no address', async () => {
  await using api = await openTestApi();
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  for (const [path, status] of [
    ['/api/v1/live', 200],
    ['/%zz', 400],
  ] as const) {
    const answer = await fetch(`${api.app.listeningOrigin}${path}`, { headers: asAdmin });
    await answer.body?.cancel();
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject(EXPECTED);
  }
});
