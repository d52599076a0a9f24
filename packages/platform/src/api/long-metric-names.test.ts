import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const LONGEST = 'm'.repeat(PAYLOAD_LIMITS.maxNameBytes);

test.each([
  ['a device type', 'POST', '/device-types', { name: 't', telemetry: [{ metric: LONGEST, type: 'number' }] }],
  ['a decoder', 'POST', '/decoders', { name: 'd', format: { kind: 'batch', metric: LONGEST } }],
  ['a retention policy', 'PUT', '/retention/policies/p', { metric: LONGEST, keepDays: { raw: 3 } }],
  [
    'the filter of a forwarder',
    'POST',
    '/forwarders',
    { id: 'f', target: { kind: 'webhook', url: 'http://127.0.0.1:9/' }, format: 'samples', filter: { metrics: [LONGEST] } },
  ],
] as const)('%s names whatever metric can be stored', async (_, method, path, payload) => {
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers: asAdmin, payload });
  expect([answer.statusCode, answer.body]).toEqual([method === 'PUT' ? 200 : 201, expect.stringContaining(LONGEST)]);
});
