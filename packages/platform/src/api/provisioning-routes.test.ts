import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { GREENHOUSE, newCsr, TestUnit } from '../provisioning/provisioning.fixture.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

class Caller {
  readonly #api: TestApi;
  readonly #headers: Record<string, string>;

  constructor(api: TestApi, headers: Record<string, string> = asAdmin) {
    this.#api = api;
    this.#headers = headers;
  }

  async send(
    method: Method,
    url: string,
    payload?: unknown,
    type = 'application/json',
  ): Promise<{ status: number; body: Record<string, unknown> & { items?: Record<string, unknown>[]; cursor?: string } }> {
    const reply = await this.#api.app.inject({
      method,
      url: `/api/v1/provisioning${url}`,
      headers: { ...this.#headers, ...(payload !== undefined && { 'content-type': type }) },
      ...(payload !== undefined && { payload: payload as object | string }),
    });
    return { status: reply.statusCode, body: reply.body === '' ? {} : reply.json() };
  }

  async names(url: string, field = 'name'): Promise<unknown[]> {
    return (await this.send('GET', url)).body.items!.map((item) => item[field]);
  }
}

async function keyFor(api: TestApi, group: string, role = 'engineer'): Promise<Caller> {
  const reply = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: `${role} of ${group}`, grants: [{ role, group }] },
  });
  return new Caller(api, { authorization: `Bearer ${reply.json<{ key: string }>().key}` });
}

const DAY_MS = 86_400_000;
const claimOf = (api: TestApi, template = 'greenhouse', name = 'march') => ({
  name,
  template,
  maxCount: 10,
  expiresAtMs: api.clock.now() + DAY_MS,
});

test('a factory job by the API: template, manifest, claim, enrolment, trace, quarantine, stop', async () => {
  await using api = await openTestApi();
  const admin = new Caller(api);
  expect(await admin.send('PUT', '/templates/greenhouse', GREENHOUSE)).toMatchObject({
    status: 201,
    body: { name: 'greenhouse', group: '/acme', enabled: true, manifestRequired: true, serial: 'SerialNumber' },
  });
  expect((await admin.send('PUT', '/templates/greenhouse', { ...GREENHOUSE, description: 'again' })).status).toBe(200);
  const upload = await admin.send(
    'POST',
    '/templates/greenhouse/manifest?batch=march',
    'serial,hmac\n1,\n2,nonsense\n3\n\n1,\n',
    'text/csv',
  );
  expect(upload).toMatchObject({
    status: 200,
    body: {
      rows: 4,
      added: 1,
      unchanged: 1,
      refused: 2,
      refusals: [
        { row: 2, serial: '2', reason: 'an HMAC is 16 to 64 bytes in hex' },
        { row: 3, reason: 'the row has 1 cells, the first line has 2' },
      ],
    },
  });
  const lines = await admin.send(
    'POST',
    '/templates/greenhouse/manifest',
    '{"serial":"4"}\n{"serial":5}\nnonsense\n',
    'application/x-ndjson',
  );
  expect(lines.body).toMatchObject({ added: 1, refused: 2 });

  expect((await admin.send('POST', '/claims', claimOf(api))).status).toBe(201);
  expect((await admin.send('POST', '/claims', claimOf(api))).body).toMatchObject({ code: 'claim-batch.exists' });
  const made = await admin.send('POST', '/claims/march/certificates', {});
  expect(new X509Certificate(String(made.body['certificatePem'])).subject).toBe('CN=march');
  expect(
    new X509Certificate(String(made.body['certificatePem'])).verify(new X509Certificate(String(made.body['caPem'])).publicKey),
  ).toBe(true);
  expect(made.body['privateKeyPem']).toMatch(/^-----BEGIN PRIVATE KEY/);
  const signed = await admin.send('POST', '/claims/march/certificates', { csrPem: newCsr() });
  expect(signed.status).toBe(201);
  expect(signed.body).not.toHaveProperty('privateKeyPem');

  const unit = new TestUnit(api.provisioning, { certificateId: String(made.body['certificateId']) });
  expect(await unit.enrol('1')).toMatchObject({ accepted: true, body: { thingName: 'gh-1' } });
  await unit.enrol('1');
  await unit.enrol('9');
  expect(await admin.names('/templates/greenhouse/manifest?state=used', 'serial')).toEqual(['1']);
  expect(await admin.names('/attempts', 'outcome')).toEqual(['refused', 'quarantined', 'enrolled']);
  expect((await admin.send('GET', '/attempts?serial=9')).body.items).toMatchObject([
    {
      reason: 'not-in-manifest',
      steps: ['claim batch march', 'CSR accepted, P-256', 'device gh-9', 'serial not in manifest', 'refused'],
    },
  ]);
  expect(await admin.names('/quarantine', 'serial')).toEqual(['1']);
  expect((await admin.send('POST', '/templates/greenhouse/quarantine/1/release')).body).toMatchObject({ state: 'released' });
  expect((await unit.enrol('1')).accepted).toBe(true);
  expect((await admin.send('POST', '/templates/greenhouse/quarantine/1/refuse')).body).toMatchObject({
    code: 'quarantine.resolved',
  });

  expect((await admin.send('DELETE', '/templates/greenhouse')).body).toMatchObject({ code: 'template.in-use' });
  expect((await admin.send('POST', '/claims/march/stop')).body).toMatchObject({ enrolled: 2, stoppedAtMs: api.clock.now() });
  expect((await unit.enrol('4')).accepted).toBe(false);
  expect((await admin.send('DELETE', '/templates/greenhouse/manifest/4')).status).toBe(204);
  expect((await admin.send('DELETE', '/templates/greenhouse/manifest/4')).body).toMatchObject({ code: 'manifest.not-found' });
  const actions = (await api.audit.list({ limit: 100, actorId: 'admin' })).map(({ action }) => action);
  expect(new Set(actions)).toEqual(
    new Set([
      'template.create',
      'template.update',
      'manifest.add',
      'claim.create',
      'certificate.create',
      'certificate.revoke',
      'quarantine.release',
      'claim.stop',
      'manifest.remove',
    ]),
  );
});

test('lists come in pages', async () => {
  await using api = await openTestApi();
  const admin = new Caller(api);
  await admin.send('PUT', '/templates/greenhouse', { ...GREENHOUSE, manifestRequired: false });
  await admin.send('POST', '/templates/greenhouse/manifest', 'serial\na\nb\nc\n', 'text/csv');
  await admin.send('POST', '/claims', { ...claimOf(api), ratePerMinute: 10_000 });
  const { body } = await admin.send('POST', '/claims/march/certificates', {});
  const unit = new TestUnit(api.provisioning, { certificateId: String(body['certificateId']) });
  for (const serial of ['a', 'b', 'c', 'a', 'b', 'c']) await unit.enrol(serial);
  for (const [path, field, expected] of [
    ['/templates/greenhouse/manifest?limit=2', 'serial', ['a', 'b', 'c']],
    ['/attempts?limit=2', 'serial', ['c', 'b', 'a', 'c', 'b', 'a']],
    ['/quarantine?limit=2', 'serial', ['a', 'b', 'c']],
  ] as const) {
    const seen: unknown[] = [];
    let cursor = '';
    do {
      const page = await admin.send('GET', `${path}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.body.items!.map((item) => item[field]));
      cursor = page.body.cursor ?? '';
    } while (cursor !== '');
    expect([path, seen]).toEqual([path, expected]);
  }
  for (const path of ['/attempts?cursor=eA', '/quarantine?cursor=eA', '/attempts?cursor=%ff']) {
    expect((await admin.send('GET', path)).status).toBe(400);
  }
});

test('an AWS template is taken and kept in our form', async () => {
  await using api = await openTestApi();
  const answer = await new Caller(api).send('PUT', '/templates/aws', {
    description: 'From AWS',
    awsTemplate: {
      Parameters: { SerialNumber: { Type: 'String' }, DeviceLocation: { Type: 'String', Default: 'Seattle' } },
      Resources: {
        certificate: {
          Type: 'AWS::IoT::Certificate',
          Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'Active' },
        },
        thing: {
          Type: 'AWS::IoT::Thing',
          Properties: { ThingName: { 'Fn::Join': ['', ['T-', { Ref: 'SerialNumber' }]] }, ThingGroups: ['acme'] },
        },
      },
      DeviceConfiguration: { LocationUrl: { 'Fn::Join': ['/', ['https://example.com', { Ref: 'DeviceLocation' }]] } },
    },
  });
  expect(answer).toMatchObject({
    status: 201,
    body: {
      description: 'From AWS',
      device: { id: 'T-${parameters.SerialNumber}', group: '/acme' },
      configuration: { LocationUrl: 'https://example.com/${parameters.DeviceLocation}' },
    },
  });
});

describe('somebody whose permissions end at a node of the tree', () => {
  async function open() {
    const api = await openTestApi();
    const admin = new Caller(api);
    await admin.send('PUT', '/templates/greenhouse', GREENHOUSE);
    await admin.send('PUT', '/templates/other', {
      ...GREENHOUSE,
      device: { id: 'o-${parameters.SerialNumber}', group: '/other' },
    });
    for (const template of ['greenhouse', 'other']) {
      await admin.send('POST', '/claims', claimOf(api, template, template));
      await admin.send('POST', `/templates/${template}/manifest`, 'serial\n1\n', 'text/csv');
      const { body } = await admin.send('POST', `/claims/${template}/certificates`, {});
      const unit = new TestUnit(api.provisioning, { certificateId: String(body['certificateId']) });
      const { body: created } = await unit.createFromCsr();
      await unit.provision(created.certificateOwnershipToken, { SerialNumber: '1' }, template);
      const again = await unit.createFromCsr();
      await unit.provision(again.body.certificateOwnershipToken, { SerialNumber: '1' }, template);
    }
    return { api, admin, [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose]() };
  }

  test('sees nothing of other nodes, by no route', async () => {
    await using opened = await open();
    const caller = await keyFor(opened.api, '/acme');
    expect(await caller.names('/templates')).toEqual(['greenhouse']);
    expect(await caller.names('/claims')).toEqual(['greenhouse']);
    expect(await caller.names('/quarantine', 'template')).toEqual(['greenhouse']);
    expect(new Set(await caller.names('/attempts', 'template'))).toEqual(new Set(['greenhouse']));
    for (const [method, path, body, type] of [
      ['GET', '/templates/other'],
      ['PUT', '/templates/other', GREENHOUSE],
      ['DELETE', '/templates/other'],
      ['GET', '/templates/other/manifest'],
      ['POST', '/templates/other/manifest', 'serial\n7\n', 'text/csv'],
      ['DELETE', '/templates/other/manifest/1'],
      ['GET', '/claims/other'],
      ['POST', '/claims/other/stop'],
      ['POST', '/claims/other/certificates', {}],
      ['POST', '/templates/other/quarantine/1/release'],
      ['POST', '/templates/other/quarantine/1/refuse'],
    ] as [Method, string, unknown?, string?][]) {
      const inside = await caller.send(method, path, body, type);
      expect([method, path, inside.status]).toEqual([method, path, 404]);
      // Names are given once for all: only this one tells that it is taken.
      if (method === 'PUT') continue;
      const nowhere = await caller.send(method, path.replace('other', 'none'), body, type);
      expect([method, path, inside.body['code']]).toEqual([method, path, nowhere.body['code']]);
    }
    const claim = { ...claimOf(opened.api, 'other', 'mine') };
    expect((await caller.send('POST', '/claims', claim)).status).toBe(404);
  });

  test('cannot let devices come in elsewhere, give policies, or have the server ask an address', async () => {
    await using opened = await open();
    const caller = await keyFor(opened.api, '/acme');
    const at = (group: string) => ({ ...GREENHOUSE, device: { ...GREENHOUSE.device, group } });
    for (const body of [
      at('/'),
      at('/other'),
      at('/${parameters.Site}'),
      at('/acme-${parameters.Site}'),
      { ...GREENHOUSE, policies: ['device-default'] },
      { ...GREENHOUSE, hook: { url: 'http://169.254.169.254/' } },
    ])
      expect(await caller.send('PUT', '/templates/mine', body)).toMatchObject({ status: 403, body: { code: 'access.denied' } });
    expect((await caller.send('PUT', '/templates/mine', at('/acme/${parameters.Site}'))).status).toBe(201);
    expect((await caller.send('PUT', '/templates/mine', at('/acme/b-${parameters.Site}'))).status).toBe(200);
    expect((await opened.admin.send('PUT', '/templates/theirs', { ...GREENHOUSE, policies: ['device-default'] })).status).toBe(
      201,
    );
  });

  test('changes nothing with the rights of a viewer', async () => {
    await using opened = await open();
    const viewer = await keyFor(opened.api, '/', 'viewer');
    expect(await viewer.names('/claims')).toHaveLength(2);
    for (const [method, path, body] of [
      ['PUT', '/templates/greenhouse', GREENHOUSE],
      ['POST', '/claims/greenhouse/stop'],
      ['POST', '/claims/greenhouse/certificates', {}],
      ['POST', '/templates/greenhouse/quarantine/1/release'],
    ] as [Method, string, unknown?][])
      expect((await viewer.send(method, path, body)).status).toBe(403);
  });
});

test.each([
  ['no parameters', {}],
  ['a device id of two parameters', { device: { id: '${parameters.SerialNumber}${parameters.Site}' } }],
  ['a device id of another parameter', { device: { id: '${parameters.Site}' } }],
  ['a device id of none', { device: { id: 'always-the-same' } }],
  ['an unknown parameter', { device: { id: '${parameters.SerialNumber}', name: '${parameters.None}' } }],
  ['a wrong reference', { device: { id: '${parameters.SerialNumber}', name: '${device.id}' } }],
  ['a group that is none', { device: { id: '${parameters.SerialNumber}', group: 'acme' } }],
  ['a hook that is no URL', { hook: { url: 'ftp://example.com' } }],
  ['a hook with a password in it', { hook: { url: 'https://a:b@example.com' } }],
  ['a policy that is not there', { policies: ['none'] }],
  ['a type that is not there', { device: { id: '${parameters.SerialNumber}', type: 'none' } }],
  ['a serial with a default', { parameters: { SerialNumber: { default: '1' }, Site: {} } }],
  [
    'the HMAC in an attribute',
    { parameters: { ...GREENHOUSE.parameters, Hmac: {} }, configuration: { a: '${parameters.Hmac}' } },
  ],
  ['a field that there is not', { colour: 'red' }],
  [
    'attributes that are too deep',
    { device: { id: '${parameters.SerialNumber}', attributes: { a: { b: { c: { d: { e: 1 } } } } } } },
  ],
])('a template with %s is refused', async (_, change) => {
  await using api = await openTestApi();
  const body = Object.keys(change).length === 0 ? { device: GREENHOUSE.device } : { ...GREENHOUSE, ...change };
  expect([400, 404]).toContain((await new Caller(api).send('PUT', '/templates/bad', body)).status);
  expect(await api.provisioning.templates.list()).toEqual([]);
});
