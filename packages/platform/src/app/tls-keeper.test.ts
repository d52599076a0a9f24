import { X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import { openTestAuthority } from '../pki/authority.fixture.ts';
import { LocalSigning } from '../pki/local-signing.ts';
import { initPki } from '../pki/pki-setup.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { type LogLines, silentLogLines } from '../kernel/log-lines.ts';
import { loadConfig } from './config.ts';
import { TlsKeeper } from './tls-keeper.ts';

const HOUR_MS = 3_600_000;

describe('what TLS needs', () => {
  let folder = '';
  let clock: FakeClock;
  const pushed: TlsMaterial[] = [];
  let keeper: TlsKeeper | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-keeper-'));
    clock = new FakeClock(Date.UTC(2027, 0, 1));
  });
  afterEach(() => {
    keeper?.[Symbol.dispose]();
    pushed.length = 0;
    refusals = 0;
    rmSync(folder, { recursive: true });
  });
  let nonce = 0;
  /** Lines that say that something bad was not taken. */
  let refusals = 0;
  const open = async (...settings: readonly string[]): Promise<TlsKeeper> => await openBy('issuing', ...settings);
  const openBy = async (serverAuthority: 'issuing' | 'local', ...settings: readonly string[]): Promise<TlsKeeper> => {
    const { tls } = loadConfig({ environment: {}, assignments: settings.map((setting) => `tls.${setting}`) }).config;
    const signing = LocalSigning.open({ dir: join(folder, 'pki'), clock });
    keeper = await TlsKeeper.open({
      settings: tls,
      pkiDir: join(folder, 'pki'),
      signing,
      serverAuthority,
      trustedAuthorities: async () =>
        (await signing.authorities()).flatMap(({ certificatePem, rootPem }) => [...new Set([certificatePem, rootPem])]),
      machine: { hostname: 'gate', interfaces: {} },
      clock,
      random: (sizeBytes) => Buffer.alloc(sizeBytes, ++nonce),
      logLines: Object.assign(Object.create(silentLogLines) as LogLines, { error: () => refusals++ }),
    });
    keeper.start(async (material) => void pushed.push(material));
    return keeper;
  };
  /** Files of another authority's server, as a user would bring them. */
  const write = async (name: string): Promise<string[]> => {
    const authority = await openTestAuthority({ dir: join(folder, name), clock });
    await authority.serverCertificate([{ type: 'dns', value: `${name}.example` }]);
    return [`certFile=${join(folder, name, 'server.crt')}`, `keyFile=${join(folder, name, 'server.key')}`];
  };
  const copy = (from: string, to: string, what: string): void => {
    writeFileSync(join(folder, to, what), execFileSync('cat', [join(folder, from, what)]));
  };
  const hostOf = ({ certificate }: TlsMaterial): string | undefined => new X509Certificate(certificate).subjectAltName;

  it('is made here where the settings name nothing, for this machine and the names asked for', async () => {
    const made = await open('serverNames=Broker.Example, 10.1.2.3');
    expect(hostOf(made.material)).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:gate, DNS:broker.example, IP Address:10.1.2.3',
    );
    expect(made.caFile).toBe(join(folder, 'pki', 'ca.crt'));
    expect(made.material.clientAuthorities.length).toBe(1);
    await expect(open('serverNames=a b')).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('is the files that the settings name, and more authorities for clients', async () => {
    const files = await write('own');
    const own = await open(...files, `clientCaFile=${join(folder, 'own', 'ca.crt')}`);
    expect(hostOf(own.material)).toBe('DNS:own.example');
    expect([own.caFile, own.material.clientAuthorities.length]).toEqual([undefined, 2]);
  });

  it('is of the new intermediate soon after one was made, with its chain, and trusts those before it', async () => {
    const before = await open();
    const dir = join(folder, 'pki');
    const data = { dir, rootDir: join(folder, 'root'), dataDir: dir };
    initPki({ ...data, passphrase: undefined, name: undefined, days: 900, token: undefined, tokenPin: undefined, clock });
    clock.advance(5_000);
    await expect.poll(() => pushed.length).toBe(1);
    expect(before.material.certificate.match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
    const [leaf, intermediate] = before.material.clientAuthorities.map((pem) =>
      new X509Certificate(pem).subject.replace(/ [0-9a-f]{8}$/, ''),
    );
    expect([leaf, intermediate]).toEqual(['CN=Selsyn issuing authority', 'CN=Selsyn root']);
    expect(before.material.clientAuthorities.length).toBe(3);
    expect(before.caFile).toBe(join(dir, 'root.crt'));
    expect(refusals).toBe(0);
    // Where devices do not know the root yet.
    const local = await openBy('local');
    expect(new X509Certificate(local.material.certificate).issuer).toMatch(/^CN=Selsyn local authority/);
    expect(local.caFile).toBe(join(dir, 'ca.crt'));
  });

  it('says what is wrong with files', async () => {
    const [cert = '', key = ''] = await write('own');
    await write('other');
    const bad = join(folder, 'bad.pem');
    writeFileSync(bad, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    execFileSync(
      'openssl',
      ['ec', '-aes128', '-passout', 'pass:x', '-in', join(folder, 'own', 'server.key'), '-out', join(folder, 'locked.key')],
      { stdio: 'pipe' },
    );
    for (const [settings, message] of [
      [[cert], /belong together/],
      [[key], /belong together/],
      [[cert, `keyFile=${folder}/none.key`], /none\.key cannot be read \(ENOENT\)/],
      [[`certFile=${folder}`, key], /EISDIR/],
      [[cert, `keyFile=${join(folder, 'other', 'server.key')}`], /is not the key of/],
      [[`certFile=${join(folder, 'own', 'server.key')}`, key], /no certificate/],
      [[`certFile=${bad}`, key], /broken certificate/],
      [[cert, `keyFile=${bad}`], /no private key/],
      [[cert, `keyFile=${join(folder, 'locked.key')}`], /passphrase/],
      [[`clientCaFile=${join(folder, 'own', 'server.key')}`], /tls\.clientCaFile .* no certificate/],
    ] as const) {
      await expect(open(...settings), String(settings)).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringMatching(message) as string,
      });
    }
  });

  it('is read again when the files have changed, once both fit, and what is bad changes nothing', async () => {
    const made = await open(...(await write('own')));
    await write('next');
    clock.advance(60_000);
    expect([pushed.length, refusals]).toEqual([0, 0]);
    copy('next', 'own', 'server.crt');
    clock.advance(5_000);
    await expect.poll(() => refusals).toBe(1);
    expect([pushed.length, hostOf(made.material)]).toEqual([0, 'DNS:own.example']);
    copy('next', 'own', 'server.key');
    clock.advance(5_000);
    await expect.poll(() => pushed.map(hostOf)).toEqual(['DNS:next.example']);
    rmSync(join(folder, 'own', 'server.crt'));
    clock.advance(5_000);
    await expect.poll(() => refusals).toBe(2);
    clock.advance(60_000); // it is told once
    expect([pushed.length, refusals, hostOf(made.material)]).toEqual([1, 2, 'DNS:next.example']);
  });

  it('is read again when asked to', async () => {
    const made = await open();
    const before = made.material;
    await made.reload();
    expect(pushed).toEqual([made.material]);
    expect([made.material.certificate === before.certificate, made.material.ticketKeys]).toEqual([true, Buffer.alloc(48, nonce)]);
    expect(before.ticketKeys).not.toEqual(made.material.ticketKeys);
  });

  it('gets new ticket keys twice a day, and a new certificate before its end', async () => {
    const made = await open();
    const first = made.material;
    clock.advance(12 * HOUR_MS);
    await expect.poll(() => pushed.length).toBe(1);
    clock.advance(12 * HOUR_MS);
    await expect.poll(() => pushed.length).toBe(2);
    expect(pushed[0]?.ticketKeys).not.toEqual(pushed[1]?.ticketKeys);
    expect(pushed.every(({ certificate }) => certificate === first.certificate)).toBe(true);
    clock.step(800 * 24 * HOUR_MS);
    clock.advance(13 * HOUR_MS);
    await expect.poll(() => pushed.length).toBe(3);
    expect(made.material.certificate).not.toBe(first.certificate);
    expect(pushed.at(-1)).toBe(made.material);
  });
});
