import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { eventually } from '../harness/selsyn.ts';
import { CONFIGURATION, Factory } from './zero-touch.fixture.ts';

const run = promisify(execFile);
const CURL = findProgram('curl') ?? '';
const OPENSSL = findProgram('openssl') ?? '';
const MOSQUITTO = findProgram('mosquitto_rr') ?? '';

/** What `/.well-known/selsyn` says, as far as a device needs it. */
interface Discovery {
  readonly endpoints: Readonly<Record<'mqtts' | 'wss' | 'https', string>>;
  readonly caCertificate: string;
  readonly enrolment: { readonly template: string; readonly token: string; readonly est: string };
}

describe.skipIf(OPENSSL === '')('a device that nobody configured', () => {
  const factory = new Factory();
  beforeAll(async () => await factory.start());
  afterAll(async () => await factory.stop());
  const publishes = async (device: string, name: string): Promise<void> =>
    expect(await factory.publish(device, name, 21.5)).toBe(21.5);
  const curl = async (
    ...args: readonly string[]
  ): Promise<{ readonly status: number; readonly body: string; readonly headers: string }> => {
    const { stdout } = await run(CURL, ['-sS', '-i', '--cacert', factory.folder.file('ca.crt'), ...args], {
      cwd: factory.folder.path,
    });
    const [head = '', body = ''] = stdout.split('\r\n\r\n', 2);
    return { status: Number(head.split(' ')[1]), headers: head.toLowerCase(), body };
  };
  const csrBody = (name: string): string[] => ['-H', 'content-type: application/pkcs10', '--data-binary', `@${name}.b64`];

  it.skipIf(CURL === '')('finds its way from one URL and a token to telemetry over mutual TLS', async () => {
    const { token, ...made } = { token: await factory.newToken(), csr: factory.folder.request('d1', '/CN=whatever') };
    const discovery = (await (await fetch(`${factory.selsyn.url}/.well-known/selsyn`)).json()) as Discovery;
    expect(discovery.enrolment.template).toBe('greenhouse');
    expect(discovery.caCertificate).toBe(readFileSync(factory.selsyn.caFile, 'utf8'));
    expect(new URL(discovery.endpoints.mqtts).port).toBe(new URL(factory.selsyn.mqttsUrl).port);
    factory.folder.write('found.crt', discovery.caCertificate);
    const body = factory.folder.write(
      'ask.json',
      JSON.stringify({ certificateSigningRequest: made.csr, parameters: { SerialNumber: '1' } }),
    );
    const enrolled = JSON.parse(
      (
        await run(CURL, [
          '-sS',
          '--fail',
          '--cacert',
          factory.folder.file('found.crt'),
          '-H',
          `authorization: Bearer ${token}`,
          '-H',
          'content-type: application/json',
          '--data-binary',
          `@${body}`,
          discovery.enrolment.token,
        ])
      ).stdout,
    ) as { deviceId: string; group: string; certificate: string; configuration: unknown; endpoints: Discovery['endpoints'] };
    expect(enrolled).toMatchObject({ deviceId: 'gh-1', group: '/acme/kiel', configuration: { ...CONFIGURATION, me: '1' } });
    expect(enrolled.endpoints.mqtts).toBe(discovery.endpoints.mqtts.replace('localhost', '127.0.0.1'));
    factory.folder.write('d1.crt', enrolled.certificate);
    expect(factory.folder.openssl('verify', '-CAfile', 'found.crt', 'd1.crt')).toContain('OK');
    await publishes('gh-1', 'd1');
    expect(await factory.traceOf('device=gh-1')).toMatch(
      /^token [0-9a-f]{16} · device gh-1 · CSR accepted, P-256 · serial in manifest · enrolled$/,
    );
  });

  it.skipIf(CURL === '')('is told no more by a token that is stolen, used or stopped than that it may not', async () => {
    const post = async (token: string, serial: string) =>
      await curl(
        '-H',
        `authorization: Bearer ${token}`,
        '-H',
        'content-type: application/json',
        '-d',
        JSON.stringify({ parameters: { SerialNumber: serial } }),
        `${factory.selsyn.httpsUrl}/api/v1/provision`,
      );
    const bound = await factory.newToken({ serials: ['2'] });
    expect((await post(bound, '3')).status).toBe(403);
    expect((await post(await factory.newToken(), 'not-in-manifest')).body).toContain('The device may not enrol.');
    expect((await post(bound, '2')).status).toBe(201);
    expect((await post(bound, '2')).status).toBe(403);
    expect((await post('A'.repeat(43), '4')).status).toBe(401);
    const stopped = await factory.newToken({ batch: 'lost' });
    await factory.ask('POST', '/api/v1/provisioning/tokens/stop', { template: 'greenhouse', batch: 'lost' });
    expect((await post(stopped, '4')).status).toBe(403);
    expect((await factory.selsyn.fetch('/api/v1/devices/gh-4')).status).toBe(404);
  });

  describe.skipIf(CURL === '')('by EST, with curl and openssl', () => {
    const est = (path: string): string => `${factory.selsyn.httpsUrl}/.well-known/est/${path}`;
    const certificateIn = (name: string, body: string): string => {
      factory.folder.write(`${name}.p7.b64`, body);
      factory.folder.openssl('base64', '-d', '-in', `${name}.p7.b64`, '-out', `${name}.p7`);
      factory.folder.openssl('pkcs7', '-inform', 'DER', '-in', `${name}.p7`, '-print_certs', '-out', `${name}.crt`);
      return factory.folder.openssl('x509', '-in', `${name}.crt`, '-noout', '-subject').trim();
    };

    it('gets the authorities and the wanted attributes, with a label or without', async () => {
      for (const label of ['', 'greenhouse/']) {
        const { status, headers, body } = await curl(est(`${label}cacerts`));
        expect([status, headers]).toEqual([200, expect.stringContaining('content-type: application/pkcs7-mime\r\n')]);
        certificateIn('authorities', body);
        expect(factory.folder.openssl('x509', '-in', 'authorities.crt')).toBe(factory.folder.openssl('x509', '-in', 'ca.crt'));
        const attributes = await curl(est(`${label}csrattrs`));
        expect(attributes.headers).toContain('content-type: application/csrattrs\r\n');
        factory.folder.write('attributes.der', Buffer.from(attributes.body, 'base64'));
        expect(factory.folder.openssl('asn1parse', '-inform', 'DER', '-in', 'attributes.der')).toMatch(
          /id-ecPublicKey[^]+prime256v1[^]+ecdsa-with-SHA256/,
        );
      }
      const unknown = await curl(est('nothing/cacerts'));
      expect([unknown.status, unknown.headers]).toEqual([404, expect.stringContaining('content-type: text/plain')]);
    });

    it('enrols with a claim certificate over mutual TLS, and renews only itself', async () => {
      factory.folder.request(
        'd10',
        '/CN=gh-99/O=acme/serialNumber=10',
        '-addext',
        'basicConstraints=critical,CA:TRUE',
        '-addext',
        'subjectAltName=DNS:gh-99',
      );
      const claim = ['--cert', 'claim.crt', '--key', 'claim.key'];
      const issued = await curl(...claim, ...csrBody('d10'), est('greenhouse/simpleenroll'));
      expect([issued.status, issued.headers]).toEqual([
        200,
        expect.stringContaining('content-type: application/pkcs7-mime; smime-type=certs-only\r\n'),
      ]);
      expect(certificateIn('d10', issued.body)).toBe('subject=CN = gh-10');
      const text = factory.folder.openssl('x509', '-in', 'd10.crt', '-noout', '-text');
      expect(text).toContain('CA:FALSE');
      expect(text).not.toContain('gh-99');
      await publishes('gh-10', 'd10');

      const own = ['--cert', 'd10.crt', '--key', 'd10.key'];
      factory.folder.requestAgain('d10', '/CN=gh-10');
      const renewed = await curl(...own, ...csrBody('d10'), est('simplereenroll'));
      expect(renewed.status).toBe(200);
      certificateIn('renewed', renewed.body);
      factory.folder.write('renewed.key', factory.folder.read('d10.key'));
      await publishes('gh-10', 'renewed');
      // The first connection with the new one has ended the old one.
      expect((await curl(...own, ...csrBody('d10'), est('simplereenroll'))).status).toBe(403);
      factory.folder.requestAgain('d10', '/CN=gh-1');
      const asAnother = await curl('--cert', 'renewed.crt', '--key', 'renewed.key', ...csrBody('d10'), est('simplereenroll'));
      expect([asAnother.status, asAnother.body]).toEqual([400, expect.stringContaining('subject')]);
      expect((await curl(...claim, ...csrBody('d10'), est('simplereenroll'))).status).toBe(403);
      expect((await curl(...csrBody('d10'), est('simplereenroll'))).status).toBe(403);
    });

    it('enrols with a provisioning token as the password of HTTP Basic', async () => {
      factory.folder.request('d11', '/CN=11');
      const token = await factory.newToken();
      const first = await curl(...csrBody('d11'), est('greenhouse/simpleenroll'));
      expect([first.status, first.headers]).toEqual([401, expect.stringContaining('www-authenticate: basic realm=')]);
      expect((await curl('-u', `x:${token}x`, ...csrBody('d11'), est('simpleenroll'))).status).toBe(401);
      expect((await curl('-u', `x:${token}`, ...csrBody('d11'), est('other/simpleenroll'))).status).toBe(404);
      const issued = await curl('-u', `x:${token}`, ...csrBody('d11'), est('greenhouse/simpleenroll'));
      expect([issued.status, certificateIn('d11', issued.body)]).toEqual([200, 'subject=CN = gh-11']);
      await publishes('gh-11', 'd11');
      // It was good for one.
      expect((await curl('-u', `x:${token}`, ...csrBody('d11'), est('greenhouse/simpleenroll'))).status).toBe(403);
    });

    it('is told in plain text what is wrong with a request', async () => {
      const claim = ['--cert', 'claim.crt', '--key', 'claim.key', '-H', 'content-type: application/pkcs10'];
      for (const [body, why] of [
        ['-----BEGIN CERTIFICATE REQUEST-----', 'PEM'],
        ['?', 'base64'],
        ['AAAA', 'PKCS#10'],
      ] as const) {
        const answer = await curl(...claim, '-d', body, est('greenhouse/simpleenroll'));
        expect([answer.status, answer.headers, answer.body]).toEqual([
          400,
          expect.stringContaining('text/plain'),
          expect.stringContaining(why),
        ]);
      }
      factory.folder.write('large', 'A'.repeat(100_000));
      expect((await curl(...claim, '--data-binary', '@large', est('greenhouse/simpleenroll'))).status).toBe(413);
      expect((await curl('--cert', 'claim.crt', '--key', 'claim.key', '-d', '{}', est('greenhouse/simpleenroll'))).status).toBe(
        415,
      );
    });
  });

  it('is registered when it first connects, by a certificate of an authority of one’s own', async () => {
    factory.folder.authority('vendor', '/O=Vendor/CN=Vendor CA');
    await factory.ask('PUT', '/api/v1/provisioning/templates/vendor', {
      parameters: { SerialNumber: {}, 'AWS::IoT::Certificate::Organization': {}, OrganizationalUnit: { default: 'none' } },
      device: {
        id: 'v-${parameters.SerialNumber}',
        group: '/vendor/${parameters.OrganizationalUnit}',
        attributes: { maker: '${parameters.AWS::IoT::Certificate::Organization}' },
      },
    });
    await factory.upload('/api/v1/provisioning/templates/vendor/manifest', 'serial\n20\n21\n');
    const { code } = await factory.ask<{ code: string }>('POST', '/api/v1/authorities/registrations', {});
    factory.folder.request('proof', `/CN=${code}`);
    const proofPem = factory.folder.sign('proof', 'vendor');
    await factory.ask('POST', '/api/v1/authorities', {
      certificatePem: factory.folder.read('vendor.crt'),
      proofPem,
      template: 'vendor',
    });

    factory.folder.request('v20', '/O=Vendor/OU=line-2/CN=20');
    factory.folder.sign('v20', 'vendor');
    await publishes('v-20', 'v20');
    expect(await factory.selsyn.get('/api/v1/devices/v-20')).toMatchObject({
      group: '/vendor/line-2',
      attributes: { maker: 'Vendor' },
    });
    expect(await factory.traceOf('device=v-20')).toBe(
      'certificate of O=Vendor, CN=Vendor CA · device v-20 · serial in manifest · enrolled',
    );

    const refused = async (name: string): Promise<void> => {
      const files = {
        ca: factory.folder.read('ca.crt'),
        cert: factory.folder.read(`${name}.crt`),
        key: factory.folder.read(`${name}.key`),
      };
      await expect(connectAsync(factory.selsyn.mqttsUrl, { ...files, clientId: 'v-x', reconnectPeriod: 0 })).rejects.toThrow();
    };
    factory.folder.request('v22', '/O=Vendor/CN=22');
    factory.folder.sign('v22', 'vendor');
    await refused('v22');
    expect(await factory.traceOf('template=vendor&serial=22')).toMatch(/serial not in manifest · refused$/);
    factory.folder.request('v21', '/O=Vendor/CN=21');
    factory.folder.sign('v21', 'vendor', 'extendedKeyUsage=serverAuth');
    await refused('v21');
    factory.folder.authority('stranger', '/O=Vendor/CN=Vendor CA');
    factory.folder.request('v21', '/O=Vendor/CN=21');
    factory.folder.sign('v21', 'stranger');
    await refused('v21');
    // A second certificate for the same serial: it waits for an operator.
    factory.folder.request('again', '/O=Vendor/CN=20');
    factory.folder.sign('again', 'vendor');
    await refused('again');
    expect(await factory.traceOf('template=vendor&serial=20')).toMatch(/serial has enrolled before/);
    expect((await factory.selsyn.fetch('/api/v1/devices/v-21')).status).toBe(404);
  });

  it.skipIf(MOSQUITTO === '')('enrols by mosquitto_rr with a CSR of openssl, and publishes by mosquitto_pub', async () => {
    const common = [
      '-h',
      'localhost',
      '-p',
      new URL(factory.selsyn.mqttsUrl).port,
      '--cafile',
      'ca.crt',
      '-V',
      'mqttv311',
      '-q',
      '1',
    ];
    const request = async (topic: string, body: object): Promise<Record<string, unknown>> => {
      const answer = ['-t', topic, '-e', `${topic}/accepted`, '-W', '45', '-m', JSON.stringify(body)];
      const { stdout } = await run(MOSQUITTO, [...common, '--cert', 'claim.crt', '--key', 'claim.key', ...answer], {
        cwd: factory.folder.path,
      });
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const created = await request('$aws/certificates/create-from-csr/json', {
      certificateSigningRequest: factory.folder.request('d40', '/CN=d40'),
    });
    factory.folder.write('d40.crt', String(created['certificatePem']));
    const { certificateOwnershipToken } = created;
    const provisioned = await request('$aws/provisioning-templates/greenhouse/provision/json', {
      certificateOwnershipToken,
      parameters: { SerialNumber: '40' },
    });
    expect(provisioned).toEqual({ thingName: 'gh-40', deviceConfiguration: { ...CONFIGURATION, me: '40' } });
    const own = ['--cert', 'd40.crt', '--key', 'd40.key', '-i', 'gh-40', '-t', 'telemetry/gh-40', '-m', '{"temperature":7}'];
    await run('mosquitto_pub', [...common, ...own], { cwd: factory.folder.path });
    const latest = await eventually(
      async () =>
        (await factory.selsyn.get<Record<string, readonly number[]>>('/api/v1/devices/gh-40/telemetry/latest'))['temperature'],
    );
    expect(latest[1]).toBe(7);
  });
});
