import { execFile, spawn } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { openTestAuthority } from '../../pki/authority.fixture.ts';
import { FREE, openDoors, type TestDoors } from './doors.fixture.ts';
import type { ClientCertificates } from './tls-material.ts';
import { testPki, type TestPki } from './tls.fixture.ts';

const run = promisify(execFile);

describe('the TLS door', () => {
  let folder = '';
  let pki: TestPki;
  let device: { readonly cert: string; readonly key: string };
  let foreign: { readonly cert: string; readonly key: string };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-tls-'));
    pki = await testPki(folder);
    const other = await openTestAuthority({ dir: join(folder, 'other'), clock: systemClock });
    const [known, unknown] = await Promise.all([pki.authority.issueDeviceCertificate('d1'), other.issueDeviceCertificate('d2')]);
    device = { cert: known.certificatePem, key: known.privateKeyPem };
    foreign = { cert: unknown.certificatePem, key: unknown.privateKeyPem };
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  let doors: TestDoors;
  const sockets: TLSSocket[] = [];
  const open = async (clientCertificates: ClientCertificates = 'optional') =>
    (doors = await openDoors({ tls: FREE, tlsMaterial: pki.material, clientCertificates }));
  const dial = (options: ConnectionOptions = {}): TLSSocket => {
    const socket = connect({
      port: doors.ports.tls,
      host: '127.0.0.1',
      ca: pki.caPem,
      allowHalfOpen: true,
      ...options,
    } as ConnectionOptions);
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  const secure = async (options: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = dial(options);
    await once(socket, 'secureConnect');
    return socket;
  };
  /** Waits until the server has ended the connection, in whichever way. */
  const over = (socket: TLSSocket): Promise<void> =>
    new Promise((resolve) => {
      for (const event of ['end', 'close']) socket.once(event, () => resolve());
      socket.resume();
    });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await doors[Symbol.asyncDispose]();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s both ways, and ends its directions one by one', async (version) => {
    await open();
    const client = await secure({ minVersion: version, maxVersion: version });
    expect(client.getProtocol()).toBe(version);
    const admitted = await doors.nth(0);
    let got = '';
    client.on('data', (chunk: Buffer) => (got += chunk.toString()));
    client.write('up');
    admitted.transport.write(Buffer.from('down'));
    await expect.poll(() => [admitted.text, got]).toEqual(['up', 'down']);
    client.end();
    await expect.poll(() => admitted.ended).toBe(true);
    admitted.transport.write(Buffer.from(' last'));
    admitted.transport.end();
    await expect.poll(() => got).toBe('down last');
    await expect.poll(() => admitted.closed).toBe(true);
    expect([admitted.transport.remoteAddress, admitted.transport.certificate]).toEqual(['127.0.0.1', undefined]);
  });

  it('is refused to TLS 1.1, and answers no bytes that are not TLS', async () => {
    await open();
    const old = dial({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    const [error] = (await once(old, 'error')) as [Error];
    expect(error.message).toMatch(/protocol version|unsupported protocol/i);
    const plain = connectTcp({ port: doors.ports.tls, host: '127.0.0.1' }).on('error', () => {});
    plain.write(Buffer.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 0));
    plain.resume();
    await once(plain, 'close');
    expect([doors.gateway.counters.refused['tls-handshake'], doors.admitted.length]).toEqual([2, 0]);
  });

  it.each([
    [['x-amzn-mqtt-ca'], 'x-amzn-mqtt-ca'],
    [['mqtt'], 'mqtt'],
    [['h2', 'mqtt'], 'mqtt'],
    [undefined, false],
  ])('takes a client that offers %s by ALPN', async (ALPNProtocols, chosen) => {
    await open();
    const client = await secure(ALPNProtocols === undefined ? {} : { ALPNProtocols });
    expect(client.alpnProtocol).toBe(chosen);
    await doors.nth(0);
  });

  it('refuses a client that offers only other protocols with the alert for it', async () => {
    await open();
    const [error] = (await once(dial({ ALPNProtocols: ['h2', 'http/1.1'] }), 'error')) as [Error & { code?: string }];
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    expect(doors.gateway.counters.refused['tls-handshake']).toBe(1);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'hands on what certificate was shown over %s and whether it verified',
    async (version) => {
      await open('optional');
      const only = { minVersion: version, maxVersion: version };
      await secure(only);
      await secure({ ...only, ...device });
      await secure({ ...only, ...foreign });
      const certificates = await Promise.all([0, 1, 2].map(async (n) => (await doors.nth(n)).transport.certificate));
      expect(certificates.map((certificate) => certificate?.verified)).toEqual([undefined, true, false]);
      expect(certificates.slice(1).map((certificate) => new X509Certificate(certificate?.der ?? '').subject)).toEqual([
        'CN=d1',
        'CN=d2',
      ]);
    },
  );

  it('lets in only verified certificates where they are required', async () => {
    await open('required');
    const client = await secure(device);
    expect((await doors.nth(0)).transport.certificate?.verified).toBe(true);
    client.destroy();
    for (const wrong of [{}, foreign]) {
      await over(dial(wrong));
    }
    expect(doors.gateway.counters.refused['tls-handshake']).toBe(2);
    expect(doors.admitted.length).toBe(1);
  });

  it('asks for none where none are wanted', async () => {
    await open('none');
    await secure(device);
    expect((await doors.nth(0)).transport.certificate).toBeUndefined();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes a session of %s, whose certificate it still knows, in any thread',
    async (version) => {
      await open();
      const only = { minVersion: version, maxVersion: version };
      const first = dial({ ...only, ...device });
      const [session] = (await once(first, 'session')) as [Buffer];
      const otherThread = await openDoors({ tls: FREE, tlsMaterial: pki.material, clientCertificates: 'optional' });
      const again = await secure({ ...only, ...device, session, port: otherThread.ports.tls });
      expect(again.isSessionReused()).toBe(true);
      const { certificate } = (await otherThread.nth(0)).transport;
      expect([certificate?.verified, new X509Certificate(certificate?.der ?? '').subject]).toEqual([true, 'CN=d1']);
      expect(otherThread.gateway.counters.tlsResumed).toBe(1);
      await otherThread[Symbol.asyncDispose]();
    },
  );

  it('takes a new certificate and new authorities without dropping who is connected', async () => {
    await open('required');
    const before = await secure(device);
    const admitted = await doors.nth(0);
    const other = await openTestAuthority({ dir: join(folder, 'other'), clock: systemClock });
    const { certificatePem, privateKeyPem } = await other.serverCertificate([{ type: 'dns', value: 'localhost' }]);
    doors.gateway.renewTls({
      certificate: certificatePem,
      privateKey: privateKeyPem,
      clientAuthorities: [other.certificatePem],
      ticketKeys: Buffer.alloc(48, 1),
    });
    const after = await secure({ ...foreign, ca: other.certificatePem, servername: 'localhost' });
    expect(after.getPeerX509Certificate()?.checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
    expect((await doors.nth(1)).transport.certificate?.verified).toBe(true);
    await over(dial({ ...device, ca: other.certificatePem, servername: 'localhost' }));
    before.write('still here');
    await expect.poll(() => admitted.text).toBe('still here');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'gets its last words through %s to a client that is still sending',
    async (version) => {
      await open();
      const client = await secure({ minVersion: version, maxVersion: version });
      const { transport } = await doors.nth(0);
      let got = '';
      let ended = false;
      client.on('data', (chunk: Buffer) => (got += chunk.toString()));
      client.on('end', () => (ended = true));
      // Far more than all buffers between the two take while nobody reads.
      transport.pause();
      client.write(Buffer.alloc(16_000_000));
      await expect.poll(() => client.writableLength).toBeGreaterThan(0);
      transport.write(Buffer.from('goodbye'));
      transport.end();
      transport.resume();
      await expect.poll(() => got + String(ended)).toBe('goodbyetrue');
    },
  );

  it('does not refer to bytes that write() gave back, however full the connection is', async () => {
    await open();
    const client = await secure();
    const { transport } = await doors.nth(0);
    client.pause();
    const expected: Buffer[] = [];
    const kept = { given: 0, back: 0 };
    for (let n = 0; n < 500; n++) {
      const bytes = Buffer.alloc(60_000, n % 251);
      expected.push(Buffer.from(bytes));
      kept.given++;
      if (transport.write(bytes)) {
        kept.back++;
        bytes.fill(0xff);
      }
      if (n % 40 === 39) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(transport.congested).toBe(true);
    expect(transport.backlogBytes).toBeGreaterThan(1_000_000);
    expect(kept.back).toBeGreaterThan(0);
    const got: Buffer[] = [];
    client.on('data', (chunk: Buffer) => got.push(chunk));
    client.resume();
    await expect.poll(() => got.reduce((sum, { length }) => sum + length, 0)).toBe(30_000_000);
    expect(Buffer.concat(got).equals(Buffer.concat(expected))).toBe(true);
    await expect.poll(() => doors.admitted[0]?.drains).toBeGreaterThan(0);
  });

  it('gives bytes back at once where nothing waits', async () => {
    await open();
    await secure();
    const { transport } = await doors.nth(0);
    for (let n = 0; n < 3; n++) {
      expect(transport.write(Buffer.from('x'))).toBe(true);
      await expect.poll(() => transport.backlogBytes).toBe(0);
    }
  });

  it('is one that openssl connects to, with a device certificate', async () => {
    await open('required');
    writeFileSync(join(folder, 'd1.crt'), device.cert);
    writeFileSync(join(folder, 'd1.key'), device.key);
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${doors.ports.tls}`,
      '-CAfile',
      pki.caFile,
      '-verify_return_error',
      '-verify_ip',
      '127.0.0.1',
    ];
    const client = spawn('openssl', [
      ...args,
      '-alpn',
      'x-amzn-mqtt-ca',
      '-cert',
      join(folder, 'd1.crt'),
      '-key',
      join(folder, 'd1.key'),
    ]);
    let said = '';
    client.stdout.on('data', (chunk) => (said += String(chunk)));
    const admitted = await doors.nth(0);
    client.stdin.end('hello\n');
    await expect.poll(() => admitted.text).toBe('hello\n');
    await once(client, 'close');
    expect(said).toMatch(/Verify return code: 0/);
    expect(said).toMatch(/ALPN protocol: x-amzn-mqtt-ca/);
    await expect(run('openssl', [...args, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'])).rejects.toThrow();
  });
});
