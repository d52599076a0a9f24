import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { systemClock } from '../kernel/clock.ts';
import { openTestAuthority } from '../pki/authority.fixture.ts';
import { PreProvisioningHook } from './pre-provisioning-hook.ts';
import { openTestProvisioning, TestUnit, type TestProvisioning } from './provisioning.fixture.ts';
import { RefusedError } from './refusal.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function serve(
  handler: Handler,
  tls?: { key: string; cert: string },
): Promise<AsyncDisposable & { url: string; server: Server }> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => handler(request, response, Buffer.concat(chunks).toString()));
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const QUESTION = { templateArn: 'arn:selsyn:iot:::provisioningtemplate/t', clientId: 'c', parameters: { SerialNumber: '1' } };

async function refusalOf(hook: PreProvisioningHook, url: string): Promise<string> {
  try {
    return JSON.stringify(await hook.ask(url, QUESTION));
  } catch (error) {
    if (error instanceof RefusedError) return `${error.refusal.reason}: ${error.refusal.why}`;
    throw error;
  }
}

const json =
  (value: unknown): Handler =>
  (_, response) =>
    void response.end(JSON.stringify(value));

describe('a hook', () => {
  it('is asked by one POST of JSON, and may set parameters', async () => {
    const asked: unknown[] = [];
    await using server = await serve((request, response, body) => {
      asked.push([request.method, request.url, request.headers['content-type'], JSON.parse(body)]);
      response.end('{"allowProvisioning":true,"parameterOverrides":{"Site":"oslo"}}');
    });
    const hook = new PreProvisioningHook({ clock: systemClock });
    expect({ ...(await hook.ask(server.url, QUESTION)) }).toEqual({ Site: 'oslo' });
    expect(asked).toEqual([['POST', '/hook', 'application/json', QUESTION]]);
  });

  it.each<[string, Handler, string]>([
    ['refuses', json({ allowProvisioning: false }), 'hook-refused: hook refused'],
    ['allows without overrides', json({ allowProvisioning: true, parameterOverrides: null }), '{}'],
    ['says neither', json({}), 'hook-failed: hook answered without allowProvisioning'],
    ['says "true"', json({ allowProvisioning: 'true' }), 'hook-failed: hook answered without allowProvisioning'],
    ['says 1', json({ allowProvisioning: 1 }), 'hook-failed: hook answered without allowProvisioning'],
    ['answers an array', json([{ allowProvisioning: true }]), 'hook-failed: hook answered no object'],
    ['answers nothing', (_, response) => void response.end(), 'hook-failed: hook answered what is not JSON'],
    [
      'answers what is not UTF-8',
      (_, response) => void response.end(Buffer.from([0xff])),
      'hook-failed: hook answered what is not JSON',
    ],
    [
      'overrides with numbers',
      json({ allowProvisioning: true, parameterOverrides: { Site: 1 } }),
      'hook-failed: hook answered with parameterOverrides',
    ],
    [
      'overrides with a list',
      json({ allowProvisioning: true, parameterOverrides: ['a'] }),
      'hook-failed: hook answered with parameterOverrides',
    ],
    [
      'fails',
      (_, response) => {
        response.statusCode = 500;
        response.end('{"allowProvisioning":true}');
      },
      'hook-failed: hook answered with the status 500',
    ],
    [
      'answers 201',
      (_, response) => {
        response.statusCode = 201;
        response.end('{"allowProvisioning":true}');
      },
      'hook-failed: hook answered with the status 201',
    ],
    ['breaks off', (request) => void request.socket.destroy(), 'hook-failed: hook could not be asked'],
    [
      'breaks off in the middle',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"allowProvisioning":true');
        setImmediate(() => response.destroy());
      },
      'hook-failed: hook could not be asked',
    ],
    [
      'never stops answering',
      (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(' '.repeat(16_384)));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      },
      'hook-failed: hook answered more than',
    ],
  ])('that %s', async (_, handler, expected) => {
    await using server = await serve(handler);
    expect(await refusalOf(new PreProvisioningHook({ clock: systemClock }), server.url)).toContain(expected);
  });

  it('is not followed anywhere', async () => {
    let reached = 0;
    await using other = await serve((_, response) => {
      reached++;
      response.end('{"allowProvisioning":true}');
    });
    await using server = await serve((_, response) => void response.writeHead(307, { location: other.url }).end());
    expect(await refusalOf(new PreProvisioningHook({ clock: systemClock }), server.url)).toContain('the status 307');
    expect(reached).toBe(0);
  });

  it('that does not answer in five seconds has refused, and its connection is closed', async () => {
    const clock = new FakeClock();
    const asked = Promise.withResolvers<IncomingMessage>();
    await using server = await serve((request) => asked.resolve(request));
    const answer = refusalOf(new PreProvisioningHook({ clock }), server.url);
    const { socket } = await asked.promise;
    clock.advance(4_999);
    const closed = once(socket, 'close');
    clock.advance(1);
    expect(await answer).toBe('hook-failed: hook did not answer within 5 s');
    await closed;
  });

  it('that hangs does not keep more than 64 connections, and those who wait for their turn are refused in time', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const full = Promise.withResolvers<void>();
    await using server = await serve(() => {
      asked++;
      if (asked === 64) full.resolve();
    });
    const hook = new PreProvisioningHook({ clock });
    const answers = Array.from({ length: 100 }, async () => await refusalOf(hook, server.url));
    await full.promise;
    clock.advance(5_000);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['hook-failed: hook did not answer within 5 s']));
    expect(asked).toBe(64);
  });

  it('that hangs keeps nobody from another one', async () => {
    await using hanging = await serve(() => undefined);
    await using other = await serve(json({ allowProvisioning: true }));
    const clock = new FakeClock();
    const hook = new PreProvisioningHook({ clock });
    const stuck = Array.from({ length: 65 }, async () => await refusalOf(hook, hanging.url));
    expect(await refusalOf(hook, other.url)).toBe('{}');
    clock.advance(5_000);
    expect(new Set(await Promise.all(stuck))).toEqual(new Set(['hook-failed: hook did not answer within 5 s']));
    expect(await refusalOf(hook, other.url)).toBe('{}');
  });

  it('that nobody listens for has refused', async () => {
    const server = await serve(() => undefined);
    await server[Symbol.asyncDispose]();
    expect(await refusalOf(new PreProvisioningHook({ clock: systemClock }), server.url)).toContain('hook could not be asked');
  });

  it('is asked by HTTPS only where its certificate is good', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'selsyn-hook-'));
    const authority = await openTestAuthority({ dir, clock: systemClock });
    const own = await authority.serverCertificate([{ type: 'ip', value: '127.0.0.1' }]);
    await using server = await serve(json({ allowProvisioning: true }), { key: own.privateKeyPem, cert: own.certificatePem });
    expect(await refusalOf(new PreProvisioningHook({ clock: systemClock }), server.url)).toContain('hook could not be asked');
    const trusting = new PreProvisioningHook({ clock: systemClock, ca: authority.certificatePem });
    expect(await refusalOf(trusting, server.url)).toBe('{}');
    rmSync(dir, { recursive: true });
  });
});

describe('an enrolment by a template with a hook', () => {
  async function open(
    ask: (parameters: Record<string, string>) => Record<string, string>,
  ): Promise<TestProvisioning & { unit: TestUnit; asked: unknown[] }> {
    const asked: unknown[] = [];
    const test = await openTestProvisioning({
      hook: {
        ask: async (_url, question) => {
          asked.push(question);
          return ask({ ...question.parameters });
        },
      },
    });
    await test.putTemplate({ hook: { url: 'http://hook.invalid/' } });
    await test.putManifest(`serial,hmac\n1,\n2,${'a'.repeat(64)}\n3,\n`);
    return { ...test, asked, unit: new TestUnit(test.provisioning, { certificateId: await test.claim() }) };
  }

  it('says to the hook what AWS says, but not the HMAC', async () => {
    await using test = await open(() => ({ Site: 'oslo' }));
    const { body } = await test.unit.createFromCsr();
    const answer = await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '2', Hmac: 'a'.repeat(64) });
    expect(answer).toMatchObject({ accepted: true, body: { deviceConfiguration: { site: 'oslo' } } });
    expect(test.asked).toEqual([
      {
        claimCertificateId: expect.stringMatching(/^[0-9a-f]{64}$/),
        certificateId: body.certificateId,
        certificatePem: body.certificatePem,
        templateArn: 'arn:selsyn:iot:::provisioningtemplate/greenhouse',
        clientId: 'unit-1',
        parameters: { SerialNumber: '2' },
      },
    ]);
  });

  it('asks it nothing about a serial outside of the manifest', async () => {
    await using test = await open(() => ({}));
    expect((await test.unit.enrol('9')).accepted).toBe(false);
    expect(test.asked).toEqual([]);
  });

  it('lets the hook set no other serial, and nothing that makes no device', async () => {
    const attempts: Record<string, string>[] = [{ SerialNumber: '3' }, { Site: '../x' }, { Site: 'x'.repeat(500) }];
    for (const overrides of attempts) {
      await using test = await open(() => overrides);
      expect((await test.unit.enrol('1')).accepted).toBe(false);
      expect(await test.devices()).toEqual([]);
    }
  });
});
