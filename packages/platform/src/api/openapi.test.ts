import { expect, test } from 'vitest';
import { z } from 'zod';
import { asAdmin, addDevice, openTestApi } from './api.fixture.ts';
import { STATS } from './fakes.fixture.ts';

const parameter = z.strictObject({
  in: z.enum(['query', 'path', 'header']),
  name: z.string(),
  required: z.boolean(),
  description: z.string().min(1),
  schema: z.looseObject({ type: z.string() }).or(z.looseObject({ anyOf: z.array(z.unknown()) })),
});
const response = z.strictObject({
  description: z.string().min(1),
  content: z.record(z.string(), z.strictObject({ schema: z.record(z.string(), z.unknown()) })).optional(),
});
/** What OpenAPI 3.1 asks of an operation, and what we ask of our own. */
const operation = z.strictObject({
  operationId: z.string().min(1),
  summary: z.string().min(1),
  description: z.string().optional(),
  tags: z
    .array(
      z.enum([
        'devices',
        'certificates',
        'provisioning',
        'telemetry',
        'storage',
        'shadows',
        'commands',
        'jobs',
        'graphql',
        'clients',
        'server',
        'access',
      ]),
    )
    .length(1),
  parameters: z.array(parameter).optional(),
  requestBody: z
    .strictObject({
      required: z.literal(true),
      description: z.string().optional(),
      content: z.record(z.string(), z.strictObject({ schema: z.looseObject({}) })),
    })
    .optional(),
  security: z.array(z.unknown()).length(0).optional(),
  'x-permission': z.string().optional(),
  'x-permission-at': z.enum(['/', 'group']).optional(),
  responses: z.record(z.string().regex(/^[1-5]\d\d$/), response),
});
const document = z.strictObject({
  openapi: z.string().regex(/^3\.1\./),
  info: z.looseObject({ title: z.string(), version: z.literal('0.0.0-test') }),
  servers: z.array(z.strictObject({ url: z.string() })),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  security: z.tuple([z.strictObject({ key: z.tuple([]) })]),
  components: z.strictObject({
    securitySchemes: z.looseObject({}),
    schemas: z.record(z.string(), z.looseObject({ type: z.string() })),
  }),
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), operation)),
});

test('the description is OpenAPI 3.1 and complete: every operation has an id, a summary, and its answers', async () => {
  await using api = await openTestApi();
  const answer = await api.app.inject('/openapi.json');
  expect(answer.statusCode).toBe(200);
  const { paths, components } = document.parse(answer.json());
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const ids = operations.map((each) => each.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const each of operations) {
    const statuses = Object.keys(each.responses);
    expect(statuses.some((status) => status.startsWith('2'))).toBe(true);
    if (each.security === undefined) expect(statuses).toEqual(expect.arrayContaining(['400', '401', '403', '500']));
    for (const [status, described] of Object.entries(each.responses)) {
      expect(described.description).not.toBe('Default Response');
      if (!/^[23]/.test(status)) expect(Object.keys(described.content ?? {})).toEqual(['application/problem+json']);
    }
  }
  for (const reference of answer.body.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
    expect(Object.keys(components.schemas)).toContain(reference[1]);
  }
});

test('every route of the API is described', async () => {
  await using api = await openTestApi();
  const { paths } = document.parse((await api.app.inject('/openapi.json')).json());
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.toSorted()).toEqual(
    [
      'GET /api/v1/archive',
      'GET /api/v1/archive/bad-objects',
      'GET /api/v1/archive/objects',
      'POST /api/v1/archive/bad-objects/{id}/give-up',
      'POST /api/v1/archive/rebuild',
      'POST /api/v1/archive/run',
      'GET /api/v1/erasures',
      'GET /api/v1/erasures/{id}',
      'POST /api/v1/erasures',
      'GET /api/v1/storage',
      'GET /api/v1/retention',
      'POST /api/v1/retention/plan',
      'POST /api/v1/retention/run',
      'POST /api/v1/retention/confirm-clock',
      'GET /api/v1/retention/policies/{name}',
      'PUT /api/v1/retention/policies/{name}',
      'DELETE /api/v1/retention/policies/{name}',
      'GET /api/v1/holds',
      'POST /api/v1/holds',
      'GET /api/v1/holds/{id}',
      'DELETE /api/v1/holds/{id}',
      'GET /api/v1/cardinality',
      'GET /api/v1/sparkplug/nodes',
      'GET /api/v1/sparkplug/nodes/{id}',
      'GET /api/v1/devices/{id}/sparkplug',
      'POST /api/v1/sparkplug/nodes/{id}/rebirth',
      'GET /api/v1/presence/alerts',
      'POST /api/v1/telemetry',
      'GET /api/v1/telemetry-export',
      'DELETE /api/v1/decoders/{name}',
      'GET /api/v1/decoders',
      'GET /api/v1/decoders/{name}',
      'GET /api/v1/telemetry-quality',
      'PATCH /api/v1/decoders/{name}',
      'POST /api/v1/decoders',
      'POST /api/v1/decoders/test',
      'POST /api/v1/decoders/{name}/test',
      'POST /api/v1/device-types/{name}/decode',
      'DELETE /api/v1/search/shadow-fields/{field}',
      'DELETE /api/v1/merge-policies',
      'DELETE /api/v1/access-keys/{id}',
      'DELETE /api/v1/access-keys/{id}/grants',
      'DELETE /api/v1/api-keys/{id}',
      'DELETE /api/v1/api-keys/{id}/grants',
      'DELETE /api/v1/clients/{clientId}',
      'DELETE /api/v1/device-imports/{id}',
      'DELETE /api/v1/device-types/{name}',
      'DELETE /api/v1/devices/{id}',
      'DELETE /api/v1/devices/{id}/secrets/{name}',
      'DELETE /api/v1/devices/{id}/shadow',
      'DELETE /api/v1/devices/{id}/shadows/{name}',
      'DELETE /api/v1/fleets/{id}',
      'DELETE /api/v1/groups/{path}',
      'DELETE /api/v1/jobs/{id}',
      'DELETE /api/v1/policies/{name}',
      'DELETE /api/v1/policies/{name}/targets',
      'DELETE /api/v1/provisioning/templates/{name}',
      'DELETE /api/v1/provisioning/templates/{name}/manifest/{serial}',
      'DELETE /api/v1/provisioning/tokens/{id}',
      'DELETE /api/v1/request-hooks/{method}',
      'DELETE /api/v1/roles/{name}',
      'DELETE /api/v1/shadow-defaults',
      'DELETE /api/v1/session',
      'DELETE /api/v1/sessions/{id}',
      'DELETE /api/v1/users/{name}',
      'DELETE /api/v1/users/{name}/grants',
      'DELETE /api/v1/users/{name}/sessions',
      'GET /api/v1/search/shadow-fields',
      'GET /api/v1/merge-policies',
      'GET /api/v1/devices/{id}/shadows/{name}/conflicts',
      'GET /api/v1/devices/{id}/shadow/conflicts',
      'GET /api/v1/access-keys',
      'GET /api/v1/api-keys',
      'GET /api/v1/audit',
      'GET /api/v1/authorities',
      'GET /api/v1/authorities/{id}',
      'GET /api/v1/certificates',
      'GET /api/v1/certificates/{id}',
      'GET /api/v1/checks/reports',
      'GET /api/v1/checks/reports/{id}',
      'GET /api/v1/clients',
      'GET /api/v1/clients/{clientId}',
      'GET /api/v1/commands',
      'GET /api/v1/dead-letters',
      'GET /api/v1/forwarders',
      'POST /api/v1/forwarders',
      'GET /api/v1/forwarders/{id}',
      'PATCH /api/v1/forwarders/{id}',
      'DELETE /api/v1/forwarders/{id}',
      'POST /api/v1/forwarders/{id}/test',
      'POST /api/v1/forwarders/{id}/reset',
      'GET /api/v1/forwarders/{id}/refused',
      'POST /api/v1/forwarders/{id}/refused/resend',
      'DELETE /api/v1/forwarders/{id}/refused',
      'GET /api/v1/device-export',
      'GET /api/v1/device-imports',
      'GET /api/v1/device-imports/{id}',
      'GET /api/v1/device-imports/{id}/refused',
      'GET /api/v1/device-types',
      'GET /api/v1/device-types/{name}',
      'GET /api/v1/devices',
      'GET /api/v1/devices/{id}',
      'GET /api/v1/devices/{id}/access',
      'GET /api/v1/devices/{id}/commands',
      'GET /api/v1/devices/{id}/commands/{command}',
      'GET /api/v1/devices/{id}/jobs',
      'GET /api/v1/devices/{id}/secrets',
      'GET /api/v1/devices/{id}/secrets/{name}',
      'GET /api/v1/devices/{id}/shadow',
      'GET /api/v1/devices/{id}/shadow/history',
      'GET /api/v1/devices/{id}/shadow-origin',
      'GET /api/v1/devices/{id}/shadows',
      'GET /api/v1/devices/{id}/shadows/{name}',
      'GET /api/v1/devices/{id}/shadows/{name}/history',
      'GET /api/v1/devices/{id}/telemetry',
      'GET /api/v1/devices/{id}/telemetry/latest',
      'GET /api/v1/fleets',
      'GET /api/v1/fleets/{id}',
      'GET /api/v1/fleets/{id}/devices',
      'GET /api/v1/groups',
      'GET /api/v1/groups/{path}',
      'GET /api/v1/jobs',
      'GET /api/v1/jobs/{id}',
      'GET /api/v1/jobs/{id}/executions',
      'GET /api/v1/jobs/{id}/executions/{device}',
      'GET /api/v1/live',
      'GET /api/v1/live/commands',
      'GET /api/v1/live/jobs',
      'GET /api/v1/live/shadows',
      'GET /api/v1/me',
      'GET /api/v1/policies',
      'GET /api/v1/policies/{name}',
      'GET /api/v1/policies/{name}/targets',
      'GET /api/v1/provisioning/attempts',
      'GET /api/v1/provisioning/claims',
      'GET /api/v1/provisioning/claims/{name}',
      'GET /api/v1/provisioning/quarantine',
      'GET /api/v1/provisioning/templates',
      'GET /api/v1/provisioning/templates/{name}',
      'GET /api/v1/provisioning/templates/{name}/manifest',
      'GET /api/v1/provisioning/tokens',
      'GET /api/v1/provisioning/tokens/{id}',
      'GET /api/v1/request-hooks',
      'GET /api/v1/request-hooks/{method}',
      'GET /api/v1/roles',
      'GET /api/v1/secrets',
      'GET /api/v1/session',
      'GET /api/v1/shadow-defaults',
      'GET /api/v1/shadow-updates',
      'GET /api/v1/shadow-updates/{id}',
      'GET /api/v1/shadow-updates/{id}/failures',
      'GET /api/v1/session/methods',
      'GET /api/v1/sessions',
      'GET /api/v1/stats',
      'GET /api/v1/trace',
      'GET /api/v1/users',
      'GET /api/v1/users/{name}',
      'GET /api/v1/users/{name}/sessions',
      'GET /healthz',
      'GET /metrics',
      'GET /pki/ca.crt',
      'GET /pki/ca/{file}',
      'GET /pki/crl/{file}',
      'GET /pki/ocsp/{*}',
      'GET /readyz',
      'PATCH /api/v1/access-keys/{id}',
      'PATCH /api/v1/authorities/{id}',
      'PATCH /api/v1/device-types/{name}',
      'PATCH /api/v1/devices/{id}',
      'PATCH /api/v1/devices/{id}/shadow',
      'PATCH /api/v1/devices/{id}/shadows/{name}',
      'PATCH /api/v1/fleets/{id}',
      'PATCH /api/v1/groups/{path}',
      'PATCH /api/v1/jobs/{id}',
      'PATCH /api/v1/users/{name}',
      'POST /api/v1/devices/{id}/shadows/{name}/merge',
      'POST /api/v1/devices/{id}/shadow/merge',
      'POST /api/v1/access-keys',
      'POST /api/v1/access-keys/{id}/grants',
      'POST /api/graphql',
      'POST /api/v1/api-keys',
      'POST /api/v1/api-keys/{id}/grants',
      'POST /api/v1/authorities',
      'POST /api/v1/authorities/registrations',
      'POST /api/v1/authorities/{id}/revoke',
      'POST /api/v1/certificates/{id}/revoke',
      'POST /api/v1/checks/reports',
      'POST /api/v1/device-imports',
      'POST /api/v1/device-imports/{id}/rows',
      'POST /api/v1/device-types',
      'POST /api/v1/devices',
      'POST /api/v1/devices/{id}/certificates',
      'POST /api/v1/devices/{id}/commands',
      'POST /api/v1/devices/{id}/commands/{command}/cancel',
      'POST /api/v1/devices/{id}/token',
      'POST /api/v1/fleets',
      'POST /api/v1/groups',
      'POST /api/v1/shadow-updates',
      'POST /api/v1/shadow-updates/{id}/cancel',
      'POST /api/v1/jobs',
      'POST /api/v1/jobs/{id}/cancel',
      'POST /api/v1/jobs/{id}/executions/{device}/cancel',
      'POST /api/v1/policies/{name}/targets',
      'POST /api/v1/provisioning/claims',
      'POST /api/v1/provisioning/claims/{name}/certificates',
      'POST /api/v1/provisioning/claims/{name}/stop',
      'POST /api/v1/provisioning/templates/{name}/manifest',
      'POST /api/v1/provisioning/templates/{name}/quarantine/{serial}/refuse',
      'POST /api/v1/provisioning/templates/{name}/quarantine/{serial}/release',
      'POST /api/v1/provisioning/tokens',
      'POST /api/v1/provisioning/tokens/stop',
      'POST /api/v1/secrets/rotation',
      'POST /api/v1/session',
      'POST /api/v1/session/password',
      'POST /api/v1/users',
      'POST /api/v1/users/{name}/grants',
      'POST /api/v1/users/{name}/password',
      'POST /api/v1/sql',
      'POST /api/v1/users/{name}/unlock',
      'POST /pki/ocsp',
      'PUT /api/v1/search/shadow-fields/{field}',
      'PUT /api/v1/merge-policies',
      'PUT /api/v1/devices/{id}/secrets/{name}',
      'PUT /api/v1/devices/{id}/shadow',
      'PUT /api/v1/devices/{id}/shadows/{name}',
      'PUT /api/v1/policies/{name}',
      'PUT /api/v1/provisioning/templates/{name}',
      'PUT /api/v1/request-hooks/{method}',
      'PUT /api/v1/roles/{name}',
      'PUT /api/v1/shadow-defaults',
    ].toSorted(),
  );
});

test('answers are as they are described', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  const { paths } = document.parse((await api.app.inject('/openapi.json')).json());
  for (const route of [
    '/api/v1/devices',
    '/api/v1/devices/{id}',
    '/api/v1/devices/{id}/telemetry',
    '/api/v1/clients',
    '/api/v1/clients/{clientId}',
    '/api/v1/stats',
    '/api/v1/me',
    '/api/v1/api-keys',
    '/api/v1/users',
    '/api/v1/roles',
    '/api/v1/audit',
  ]) {
    const answer = await api.app.inject({
      url: route.replace('{id}', 'sensor1').replace('{clientId}', 'sensor1'),
      headers: asAdmin,
    });
    const described = paths[route]?.get?.responses['200']?.content?.['application/json']?.schema;
    const schema = z.fromJSONSchema(described as Parameters<typeof z.fromJSONSchema>[0]);
    expect([route, schema.safeParse(answer.json()).error]).toEqual([route, undefined]);
  }
  expect((await api.app.inject({ url: '/api/v1/stats', headers: asAdmin })).json()).toEqual(STATS);
});

test('the reference page is all of this origin, and its policy lets exactly its own script run', async () => {
  await using api = await openTestApi();
  expect((await api.app.inject('/docs')).headers.location).toBe('/docs/');
  const page = await api.app.inject('/docs/');
  expect(page.headers['content-type']).toContain('text/html');
  expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
  expect(page.body).toContain('"url": "/openapi.json"');
  expect(page.body).toContain('"withDefaultFonts": false');
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toMatch(/script-src 'self' 'sha256-[A-Za-z0-9+/]+=*';/);
  expect(policy).toContain("connect-src 'self'");
  const script = await api.app.inject({ url: '/docs/js/scalar.js', headers: { 'accept-encoding': 'gzip' } });
  expect(script.headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'text/javascript; charset=utf-8' });
  const again = await api.app.inject({ url: '/docs/js/scalar.js', headers: { 'if-none-match': String(script.headers.etag) } });
  expect(again.statusCode).toBe(304);
});
