import { createPrivateKey, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { openTestAuthority } from './authority.fixture.ts';
import { machineServerNames, readServerName, readSubjectAltNames, sameServerNames, type ServerName } from './server-names.ts';

const DAY_MS = 86_400_000;
const NAMES: readonly ServerName[] = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
];

let folder = '';
let clock: FakeClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-pki-'));
  clock = new FakeClock(Date.UTC(2027, 0, 1));
});
afterEach(() => rmSync(folder, { recursive: true }));
const dir = (): string => join(folder, 'pki');
const open = async () => await openTestAuthority({ dir: dir(), clock });
const bytesOf = (name: string): string => readFileSync(join(dir(), name), 'utf8');

describe('the local authority', () => {
  it('is made once, for ten years, with keys that only the owner reads', async () => {
    const authority = await open();
    const certificate = new X509Certificate(authority.certificatePem);
    expect(certificate.ca).toBe(true);
    expect(certificate.validToDate.getUTCFullYear()).toBe(2036);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    await authority.serverCertificate(NAMES);
    expect(['ca.key', 'server.key', 'ca.crt'].map((name) => statSync(join(dir(), name)).mode & 0o777)).toEqual([
      0o600, 0o600, 0o644,
    ]);
    expect((await open()).certificatePem).toBe(authority.certificatePem);
    expect(readFileSync(authority.certificateFile, 'utf8')).toContain(authority.certificatePem.trim());
  });

  it('signs what openssl accepts for a server of that name, and for no other use', async () => {
    const authority = await open();
    await authority.serverCertificate(NAMES);
    const device = await authority.issueDeviceCertificate('press:7');
    writeFileSync(join(folder, 'device.crt'), device.certificatePem);
    const at = String(Math.floor(clock.now() / 1_000));
    const verify = (file: string, ...args: string[]): string => {
      try {
        return execFileSync(
          'openssl',
          ['verify', '-x509_strict', '-attime', at, '-CAfile', authority.certificateFile, ...args, file],
          {
            encoding: 'utf8',
            stdio: 'pipe',
          },
        );
      } catch (error) {
        return String(error instanceof Error && 'stderr' in error ? error.stderr : error);
      }
    };
    const server = join(dir(), 'server.crt');
    expect(verify(server, '-purpose', 'sslserver', '-verify_hostname', 'localhost')).toMatch(/OK\n$/);
    expect(verify(server, '-purpose', 'sslserver', '-verify_ip', '::1')).toMatch(/OK\n$/);
    expect(verify(server, '-purpose', 'sslserver', '-verify_hostname', 'example.org')).toMatch(/hostname mismatch/i);
    expect(verify(server, '-purpose', 'sslclient')).toMatch(/purpose/);
    expect(verify(join(folder, 'device.crt'), '-purpose', 'sslclient')).toMatch(/OK\n$/);
    expect(verify(join(folder, 'device.crt'), '-purpose', 'sslserver')).toMatch(/purpose/);
    const certificate = new X509Certificate(device.certificatePem);
    expect(certificate.subject).toBe('CN=press:7');
    expect(certificate.checkPrivateKey(createPrivateKey(device.privateKeyPem))).toBe(true);
  });

  it('gives the same server certificate again until it nears its end, and never one that outlives it', async () => {
    const first = await (await open()).serverCertificate(NAMES);
    clock.advance(700 * DAY_MS);
    expect(await (await open()).serverCertificate(NAMES)).toEqual(first);
    clock.advance(80 * DAY_MS);
    const second = await (await open()).serverCertificate(NAMES);
    expect(second.certificatePem).not.toBe(first.certificatePem);
    expect(second.privateKeyPem).toBe(first.privateKeyPem);
    clock.advance(9 * 365 * DAY_MS - 700 * DAY_MS);
    const authority = await open();
    const last = new X509Certificate((await authority.serverCertificate(NAMES)).certificatePem);
    expect(last.validToDate).toEqual(new X509Certificate(authority.certificatePem).validToDate);
  });

  it('makes a server certificate anew when its names, its key or the authority have changed, or its file is broken', async () => {
    const authority = await open();
    const first = await authority.serverCertificate(NAMES);
    const more = [...NAMES, { type: 'dns', value: 'broker.example' } as const];
    const second = await authority.serverCertificate(more);
    expect(new X509Certificate(second.certificatePem).checkHost('broker.example')).toBe('broker.example');
    expect(await authority.serverCertificate(more.toReversed())).toEqual(second);
    expect((await authority.serverCertificate(NAMES)).certificatePem).not.toBe(first.certificatePem);
    rmSync(join(dir(), 'server.key'));
    const third = await authority.serverCertificate(NAMES);
    expect(new X509Certificate(third.certificatePem).checkPrivateKey(createPrivateKey(third.privateKeyPem))).toBe(true);
    writeFileSync(join(dir(), 'server.crt'), third.certificatePem.slice(0, 100));
    expect((await authority.serverCertificate(NAMES)).certificatePem).toContain('END CERTIFICATE');
    for (const name of ['ca.crt', 'ca.key']) rmSync(join(dir(), name));
    const other = await open();
    const fourth = new X509Certificate((await other.serverCertificate(NAMES)).certificatePem);
    expect(fourth.verify(new X509Certificate(other.certificatePem).publicKey)).toBe(true);
  });

  it('keeps its key when only its certificate is lost, so that what it has issued stays valid', async () => {
    const device = new X509Certificate((await (await open()).issueDeviceCertificate('d1')).certificatePem);
    rmSync(join(dir(), 'ca.crt'));
    const again = new X509Certificate((await open()).certificatePem);
    expect(device.checkIssued(again) && device.verify(again.publicKey)).toBe(true);
  });

  it('does not go on without the key of its certificate, and leaves the files as they are', async () => {
    await open();
    const certificate = bytesOf('ca.crt');
    rmSync(join(dir(), 'ca.key'));
    await expect(open()).rejects.toMatchObject({ code: 'data.corrupt', message: expect.stringContaining('ca.key') as string });
    expect(() => statSync(join(dir(), 'ca.key'))).toThrow();
    writeFileSync(join(dir(), 'ca.key'), 'nonsense');
    await expect(open()).rejects.toMatchObject({ code: 'data.corrupt' });
    expect(bytesOf('ca.crt')).toBe(certificate);
    writeFileSync(join(dir(), 'ca.crt'), 'nonsense');
    await expect(open()).rejects.toMatchObject({ code: 'data.corrupt' });
  });

  it('says that its folder cannot be made', async () => {
    writeFileSync(dir(), 'a file');
    await expect(open()).rejects.toMatchObject({ code: 'data.unwritable' });
  });
});

describe('the names of a server', () => {
  it('are those of the machine: no internal or link-local address, nothing that is no host name', () => {
    const info = { netmask: '', mac: '', cidr: null, scopeid: 0 };
    const names = machineServerNames({
      hostname: 'Gate-1',
      interfaces: {
        lo: [{ ...info, family: 'IPv4', address: '127.0.0.1', internal: true }],
        eth0: [
          { ...info, family: 'IPv4', address: '10.0.0.7', internal: false },
          { ...info, family: 'IPv6', address: 'fe80::1', internal: false },
          { ...info, family: 'IPv6', address: '2001:DB8:0:0::7', internal: false },
        ],
        none: undefined,
      },
    });
    expect(names.map(({ value }) => value)).toEqual(['localhost', '127.0.0.1', '::1', 'gate-1', '10.0.0.7', '2001:db8::7']);
    expect(machineServerNames({ hostname: 'my_host', interfaces: {} })).toEqual(NAMES);
  });

  it('are host names and addresses, and what Node says of a certificate reads back as them', () => {
    expect(['*.a.example', 'a..b', 'a b', '-a', '', '1.2.3.4', 'fe80::1%eth0'].map((text) => readServerName(text)?.type)).toEqual(
      ['dns', undefined, undefined, undefined, undefined, 'ip', undefined],
    );
    const read = readSubjectAltNames('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(sameServerNames(read, NAMES)).toBe(true);
    expect(sameServerNames(read, NAMES.slice(1))).toBe(false);
    expect(readSubjectAltNames(undefined)).toEqual([]);
  });
});
