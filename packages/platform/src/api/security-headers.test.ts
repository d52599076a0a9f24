import { expect, test } from 'vitest';
import { openTestApi } from './api.fixture.ts';

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
