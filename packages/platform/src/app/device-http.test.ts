import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { asAdmin, openTestApi, type TestApi } from '../api/api.fixture.ts';
import { problemSchema } from '../api/problem.ts';
import { deviceFacingRoutes } from '../gateways/http/device-routes.ts';
import { DeviceTokens } from '../identity/device-tokens.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { certificateIdOf } from '../pki/certificate-reading.ts';
import { makeCsr } from '../provisioning/csr.fixture.ts';
import { loadConfig } from './config.ts';
import { deviceRoutesDependencies, openEnrolmentDoors } from './enrolment-doors.ts';

const FROM_AFAR = '192.0.2.7';
const RUNS = 100;
const TEMPLATE = {
  parameters: { SerialNumber: {}, Site: { default: 'kiel' } },
  device: { id: 'gh-${parameters.SerialNumber}', group: '/acme/${parameters.Site}' },
  configuration: { me: '${parameters.SerialNumber}' },
  manifestRequired: false,
};

/** The API with the routes for devices. */
async function open(...settings: readonly string[]): Promise<TestApi> {
  const { config } = loadConfig({ environment: {}, assignments: settings });
  return await openTestApi(({ database, clock, audit: trail, pki, provisioning }) => {
    const common = { database, clock, random: randomBytes, trail, logLines: silentLogLines, provisioning, pki };
    const enrolment = openEnrolmentDoors({ ...common, deviceTokens: new DeviceTokens(common) });
    const ports = { tcp: 1883, tls: 8883, ws: 8083, wss: 8084, https: 8443 };
    const routes = deviceRoutesDependencies({
      ...common,
      config,
      identity: { enrolment, provisioning, pki },
      ports,
      caFile: () => undefined,
    });
    return { provisioningTokens: enrolment.tokens, deviceRoutes: (problems) => deviceFacingRoutes(routes, problems) };
  });
}

async function putTemplate(api: TestApi, name: string, change: object = {}): Promise<void> {
  const { statusCode, body } = await api.app.inject({
    method: 'PUT',
    url: `/api/v1/provisioning/templates/${name}`,
    headers: asAdmin,
    payload: { ...TEMPLATE, ...change },
  });
  if (statusCode > 201) expect.fail(body);
}

async function newToken(api: TestApi, template: string, more: object = {}): Promise<string> {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/provisioning/tokens',
    headers: asAdmin,
    payload: { template, maxCount: 100, ratePerMinute: 100_000, expiresAtMs: api.clock.now() + 3_600_000, ...more },
  });
  return answer.json<{ items: readonly { token: string }[] }>().items[0]?.token ?? '';
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('GET /.well-known/selsyn', () => {
  it('tells where all is, and how to come in by the only template there is', async () => {
    await using api = await open();
    const ask = async (query = '') =>
      await api.app.inject({ url: `/.well-known/selsyn${query}`, headers: { host: 'iot.local:8443' } });
    expect((await ask()).json()).toEqual({
      endpoints: {
        mqtt: 'mqtt://iot.local:1883',
        mqtts: 'mqtts://iot.local:8883',
        ws: 'ws://iot.local:8083/mqtt',
        wss: 'wss://iot.local:8084/mqtt',
        https: 'https://iot.local:8443',
      },
    });
    await putTemplate(api, 'gh');
    const told = await ask();
    expect([told.headers['cache-control'], told.json()]).toMatchObject([
      'no-store',
      {
        enrolment: {
          template: 'gh',
          serial: 'SerialNumber',
          parameters: { SerialNumber: { required: true }, Site: { required: false } },
          est: 'https://iot.local:8443/.well-known/est/gh',
          token: 'https://iot.local:8443/api/v1/provision',
        },
      },
    ]);
    await putTemplate(api, 'other');
    expect((await ask()).json()).not.toHaveProperty('enrolment');
    expect((await ask('?template=other')).json()).toMatchObject({ enrolment: { template: 'other' } });
    await putTemplate(api, 'other', { enabled: false });
    for (const name of ['other', 'nothing', '../x'])
      expect((await ask(`?template=${encodeURIComponent(name)}`)).json()).toMatchObject({ code: 'template.not-found' });
    expect((await ask('?nonsense=1')).json()).toMatchObject({ code: 'request.invalid' });
  });

  it('names the template and the URLs of the settings', async () => {
    await using api = await open(
      'provisioning.defaultTemplate=gh',
      'provisioning.endpoints={"mqtts":"mqtts://iot.example.com:443"}',
    );
    await putTemplate(api, 'gh');
    await putTemplate(api, 'other');
    const told = (await api.app.inject('/.well-known/selsyn')).json<{ enrolment: object }>();
    expect(told).toMatchObject({ endpoints: { mqtts: 'mqtts://iot.example.com:443' }, enrolment: { template: 'gh' } });
    expect(told.enrolment).not.toHaveProperty('est');
  });

  it('tells the configuration to who shows a token that may be used', async () => {
    await using api = await open();
    await putTemplate(api, 'gh');
    const [bound, any] = [await newToken(api, 'gh', { serials: ['7'] }), await newToken(api, 'gh')];
    const ask = async (token: string, query = '') =>
      (await api.app.inject({ url: `/.well-known/selsyn${query}`, headers: bearer(token) })).json<object>();
    expect(await ask(bound)).toMatchObject({ configuration: { me: '7' } });
    expect(await ask(any, '?serial=8')).toMatchObject({ configuration: { me: '8' } });
    expect(await ask(any)).not.toHaveProperty('configuration');
    expect(await ask(any, '?template=other')).toMatchObject({ code: 'template.not-found' });
    expect(await ask(`${any}x`)).toMatchObject({ code: 'access.unauthenticated' });
    api.clock.advance(3_600_000);
    expect(await ask(any)).toMatchObject({ code: 'enrolment.refused' });
  });

  it('does not take a token from afar without TLS', async () => {
    await using api = await open();
    await putTemplate(api, 'gh');
    const token = await newToken(api, 'gh');
    const answer = await api.app.inject({ url: '/.well-known/selsyn', headers: bearer(token), remoteAddress: FROM_AFAR });
    expect(answer.json()).toMatchObject({ status: 403, code: 'request.insecure' });
    expect((await api.app.inject({ url: '/.well-known/selsyn', remoteAddress: FROM_AFAR })).statusCode).toBe(200);
  });
});

describe('POST /api/v1/provision', () => {
  const provision = async (api: TestApi, token: string, payload: object, remoteAddress = '127.0.0.1') =>
    await api.app.inject({ method: 'POST', url: '/api/v1/provision', headers: bearer(token), payload, remoteAddress });

  it('gives a device all that it needs: by a CSR, with a key, or with a token', async () => {
    await using api = await open();
    await putTemplate(api, 'gh');
    const token = await newToken(api, 'gh');
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const byCsr = await provision(api, token, {
      parameters: { SerialNumber: '1', Site: 'oslo' },
      certificateSigningRequest: makeCsr(keys, 'x'),
    });
    const device = byCsr.json<{ certificate: string; certificateId: string }>();
    expect([byCsr.statusCode, byCsr.headers['cache-control'], device]).toMatchObject([
      201,
      'no-store',
      {
        deviceId: 'gh-1',
        template: 'gh',
        group: '/acme/oslo',
        configuration: { me: '1' },
        endpoints: { mqtts: expect.any(String) },
      },
    ]);
    expect(device).not.toHaveProperty('privateKey');
    const certificate = new X509Certificate(device.certificate);
    expect([certificate.checkPrivateKey(keys.privateKey), certificateIdOf(certificate.raw)]).toEqual([
      true,
      device.certificateId,
    ]);
    expect((await provision(api, token, { parameters: { SerialNumber: '2' } })).json()).toMatchObject({
      privateKey: expect.stringContaining('PRIVATE KEY'),
    });
    const withToken = (await provision(api, token, { parameters: { SerialNumber: '3' }, credential: 'token' })).json<{
      token: string;
    }>();
    expect(withToken).not.toHaveProperty('certificate');
    const kept = await api.database
      .selectFrom('device_token')
      .select('token_hash')
      .where('device_id', '=', 'gh-3')
      .executeTakeFirst();
    expect(kept?.token_hash).toBe(createHash('sha256').update(withToken.token).digest('base64url'));
  });

  it('refuses with a problem, and tells nothing of the manifest', async () => {
    await using api = await open();
    await putTemplate(api, 'gh', { manifestRequired: true });
    const token = await newToken(api, 'gh');
    const parameters = { SerialNumber: '1' };
    const cases = [
      [await provision(api, token, { parameters }), 403, 'enrolment.refused'],
      [await provision(api, `${token}x`, { parameters }), 401, 'access.unauthenticated'],
      [await provision(api, token, { parameters, template: 'other' }), 404, 'template.not-found'],
      [await provision(api, token, {}), 400, 'request.invalid'],
      [await provision(api, token, { parameters: { SerialNumber: 1 } }), 400, 'request.invalid'],
      [await provision(api, token, { parameters, more: 1 }), 400, 'request.invalid'],
      [await provision(api, token, { parameters, credential: 'token', certificateSigningRequest: 'x' }), 400, 'request.invalid'],
      [await provision(api, token, { parameters, certificateSigningRequest: 'x'.repeat(40_000) }), 413, 'request.too-large'],
      [await provision(api, token, { parameters }, FROM_AFAR), 403, 'request.insecure'],
      [
        await api.app.inject({ method: 'POST', url: '/api/v1/provision', payload: { parameters } }),
        401,
        'access.unauthenticated',
      ],
      [
        await api.app.inject({ method: 'POST', url: '/api/v1/provision', headers: asAdmin, payload: { parameters } }),
        401,
        'access.unauthenticated',
      ],
    ] as const;
    for (const [answer, status, code] of cases)
      expect(problemSchema.strict().parse(answer.json())).toMatchObject({ status, code });
    expect(cases[0][0].json()).toMatchObject({ detail: 'The device may not enrol.', details: {} });
    expect(await api.devices.count()).toBe(0);
  });

  it('lets one address enrol so often a second, and others go on', async () => {
    await using api = await open();
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++) statuses.push((await provision(api, 'guess', {})).statusCode);
    expect([new Set(statuses.slice(0, 20)), new Set(statuses.slice(20))]).toEqual([new Set([401]), new Set([429])]);
    const limited = await provision(api, 'guess', {});
    expect([limited.json(), limited.headers['retry-after']]).toMatchObject([{ code: 'request.rate-limited' }, '1']);
    expect((await provision(api, 'guess', {}, '127.0.0.2')).statusCode).toBe(401);
    api.clock.advance(1_000);
    expect((await provision(api, 'guess', {})).statusCode).toBe(401);
  });
});

it('both are in the OpenAPI document, ask for no key, and answer as it says', async () => {
  await using api = await open();
  await putTemplate(api, 'gh');
  const operation = z.looseObject({
    operationId: z.string(),
    security: z.array(z.unknown()).length(0),
    responses: z.record(z.string(), z.looseObject({})),
  });
  const { paths } = z
    .looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse((await api.app.inject('/openapi.json')).json());
  const schemaOf = (path: string, method: string, status: string) => {
    const { responses } = operation.parse(paths[path]?.[method]);
    const { content } = responses[status] as {
      content: { 'application/json': { schema: Parameters<typeof z.fromJSONSchema>[0] } };
    };
    return z.fromJSONSchema(content['application/json'].schema);
  };
  schemaOf('/.well-known/selsyn', 'get', '200').parse((await api.app.inject('/.well-known/selsyn')).json());
  const provisioned = await api.app.inject({
    method: 'POST',
    url: '/api/v1/provision',
    headers: bearer(await newToken(api, 'gh')),
    payload: { parameters: { SerialNumber: '1' } },
  });
  schemaOf('/api/v1/provision', 'post', '201').parse(provisioned.json());
});

describe('hostile requests', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    fc.constantFrom('%00', '..', "' or 1=1 --", '${parameters.SerialNumber}', '\r\n'),
  );
  const printable = (value: string): string => value.replaceAll(/[^\x20-\x7e]/g, '');

  it('are answered, and never a fault of the server', async () => {
    await using api = await open();
    await putTemplate(api, 'gh');
    const token = await newToken(api, 'gh', { maxCount: 1_000_000 });
    const authorization = fc.oneof(
      fc.constant(`Bearer ${token}`),
      fc.constant(`Basic ${Buffer.from(`x:${token}`).toString('base64')}`),
      text.map(printable),
    );
    const body = fc.oneof(
      fc.json(),
      text,
      fc
        .record(
          { parameters: fc.dictionary(text, fc.oneof(text, fc.jsonValue())), certificateSigningRequest: text },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
    );
    const path = fc.constantFrom(
      '/api/v1/provision',
      '/.well-known/est/simpleenroll',
      '/.well-known/est/gh/simpleenroll',
      '/.well-known/est/simplereenroll',
    );
    const type = fc.constantFrom('application/json', 'application/pkcs10', 'text/plain', '');
    await fc.assert(
      fc.asyncProperty(path, authorization, type, body, async (url, shown, contentType, payload) => {
        api.clock.advance(1_000);
        const headers = { authorization: shown, 'content-type': contentType };
        const { statusCode } = await api.app.inject({ method: 'POST', url, headers, payload });
        expect(statusCode).toBeLessThan(500);
      }),
      { numRuns: RUNS },
    );
    await fc.assert(
      fc.asyncProperty(text, text, text.map(printable), async (template, serial, host) => {
        api.clock.advance(1_000);
        const query = new URLSearchParams({ template, serial }).toString();
        for (const url of [`/.well-known/selsyn?${query}`, `/.well-known/est/${encodeURIComponent(template)}/cacerts`])
          expect((await api.app.inject({ url, headers: { host, authorization: `Bearer ${token}` } })).statusCode).toBeLessThan(
            500,
          );
      }),
      { numRuns: RUNS },
    );
  });

  it('by EST are answered in plain text, also where there is nothing', async () => {
    await using api = await open();
    await putTemplate(api, 'gh');
    const post = async (url: string, headers: Record<string, string>, payload = 'AAAA') =>
      await api.app.inject({
        method: 'POST',
        url: `/.well-known/est${url}`,
        headers: { 'content-type': 'application/pkcs10', ...headers },
        payload,
      });
    const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`any:${password}`).toString('base64')}` });
    const token = await newToken(api, 'gh');
    const cases = [
      [await post('/simpleenroll', {}), 401],
      [await post('/simpleenroll', basic('guess')), 401],
      [await post('/simpleenroll', basic(token)), 400],
      [await post('/other/simpleenroll', basic(token)), 404],
      [await post('/simpleenroll', { ...basic(token), 'content-type': 'text/plain' }), 415],
      [await post('/simpleenroll', basic(token), 'A'.repeat(40_000)), 413],
      [await post('/simplereenroll', basic(token)), 403],
      [await api.app.inject('/.well-known/est/other/cacerts'), 404],
    ] as const;
    for (const [answer, status] of cases)
      expect([answer.statusCode, answer.headers['content-type'], answer.body.split('\n').length]).toEqual([
        status,
        'text/plain; charset=utf-8',
        2,
      ]);
    const afar = await api.app.inject({
      method: 'POST',
      url: '/.well-known/est/simpleenroll',
      headers: basic(token),
      remoteAddress: FROM_AFAR,
    });
    expect([afar.statusCode, afar.headers['content-type']]).toEqual([403, 'text/plain; charset=utf-8']);
  });
});
