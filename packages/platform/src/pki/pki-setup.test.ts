import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { openTestAuthority } from './authority.fixture.ts';
import { installIntermediate } from './intermediate-install.ts';
import { readPendingKey, requestIntermediate } from './intermediate-request.ts';
import { LocalSigning } from './local-signing.ts';
import { OpenSsl } from './openssl.fixture.ts';
import { initPki, renewIntermediate, type SetUpOptions } from './pki-setup.ts';
import { openRoot, signIntermediate } from './root-authority.ts';
import { issuingAuthority, keepServerCertificate } from './server-certificate.ts';
import type { ServerName } from './server-names.ts';

const DAY_MS = 86_400_000;
const NAMES: readonly ServerName[] = [{ type: 'dns', value: 'localhost' }];

let openssl: OpenSsl;
let clock: FakeClock;
beforeEach(() => {
  openssl = new OpenSsl();
  clock = new FakeClock(Date.UTC(2027, 0, 1));
});
afterEach(() => openssl[Symbol.dispose]());

const dir = (): string => openssl.path('data/pki');
const options = (more: Partial<SetUpOptions> = {}): SetUpOptions => ({
  dir: dir(),
  rootDir: openssl.path('root'),
  dataDir: openssl.path('data'),
  passphrase: undefined,
  name: undefined,
  days: 1_826,
  token: undefined,
  tokenPin: undefined,
  clock,
  ...more,
});
const modeOf = (path: string): number => statSync(openssl.path(path)).mode & 0o777;
const issueWith = (signing: LocalSigning): { certificatePem: string; chainPem: string } => {
  const validity = { notBeforeMs: clock.now(), notAfterMs: clock.now() + 9_999 * DAY_MS };
  const result = signing.issueOne({ key: { generate: true }, commonName: 'd1', use: 'client', ...validity });
  if ('refused' in result) throw new Error(result.refused.message);
  return result.issued;
};
const verify = (trust: string, { certificatePem, chainPem }: { certificatePem: string; chainPem: string }): string => {
  openssl.write('leaf.pem', certificatePem);
  openssl.write('chain.pem', chainPem);
  const at = String(clock.now() / 1_000 + 60);
  const untrusted = chainPem === '' ? [] : ['-untrusted', 'chain.pem'];
  return openssl.run('verify', '-x509_strict', '-attime', at, '-CAfile', trust, ...untrusted, 'leaf.pem');
};

describe('an offline root and its intermediate', () => {
  it('are made at once: the root for one level below it, the intermediate for none, keys for their owner alone', () => {
    const { root, certificate } = initPki(options({ name: 'Acme' }));
    expect(root.made).toBe(true);
    expect(['root/root.key', 'root/root.crt'].map(modeOf)).toEqual([0o600, 0o644]);
    expect(modeOf('data/pki')).toBe(0o700);
    const keyFile = (
      JSON.parse(readFileSync(join(dir(), 'authorities.json'), 'utf8')) as { intermediates: { key: { file: string } }[] }
    ).intermediates[0]?.key.file;
    expect(modeOf(`data/pki/${keyFile}`)).toBe(0o600);
    expect(existsSync(join(dir(), 'root.key'))).toBe(false);
    const text = (pem: string): string => openssl.run('x509', '-in', openssl.write('x.pem', pem), '-noout', '-text');
    expect(text(root.certificatePem)).toMatch(/Subject: CN ?= ?Acme root [^]*CA:TRUE, pathlen:1/);
    expect(text(certificate.toString())).toMatch(/Subject: CN ?= ?Acme issuing authority [^]*CA:TRUE, pathlen:0/);
    expect(certificate.validToDate.getUTCFullYear()).toBe(2031);
    expect(readFileSync(join(dir(), 'root.crt'), 'utf8')).toBe(root.certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(readFileSync(join(dir(), keyFile ?? '')))) && certificate.ca).toBe(true);
  });

  it('issue for devices and for the server, which sends the chain; what it issued ends with the intermediate', async () => {
    initPki(options());
    const signing = LocalSigning.open({ dir: dir(), clock });
    expect(existsSync(join(dir(), 'ca.key'))).toBe(false);
    const issued = issueWith(signing);
    expect(verify('root/root.crt', issued)).toBe('leaf.pem: OK\n');
    const authority = await issuingAuthority(signing);
    expect(new X509Certificate(issued.certificatePem).validToDate.getTime()).toBe(authority.notAfterMs);
    const server = await keepServerCertificate({ dir: dir(), names: NAMES, signing, clock });
    expect(server.certificatePem.match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
    openssl.write('server.pem', server.certificatePem);
    const at = String(clock.now() / 1_000 + 60);
    expect(
      openssl.run(
        'verify',
        '-attime',
        at,
        '-CAfile',
        'root/root.crt',
        '-untrusted',
        'server.pem',
        '-verify_hostname',
        'localhost',
        'server.pem',
      ),
    ).toBe('server.pem: OK\n');
    expect(readFileSync(join(dir(), 'server.crt'), 'utf8')).toBe(server.certificatePem);
    expect(await keepServerCertificate({ dir: dir(), names: NAMES, signing, clock })).toEqual(server);
  });

  it('take over from the authority made at the first start, which stays trusted for what it has issued', async () => {
    const local = await openTestAuthority({ dir: dir(), clock });
    const before = await local.issueDeviceCertificate('d0');
    await local.serverCertificate(NAMES);
    initPki(options());
    await local.signing.reload();
    const authorities = await local.signing.authorities();
    expect(authorities.map(({ kind, issuing, canSign }) => [kind, issuing, canSign])).toEqual([
      ['intermediate', true, true],
      ['local', false, true],
    ]);
    expect(verify('root/root.crt', issueWith(local.signing))).toBe('leaf.pem: OK\n');
    expect(verify('data/pki/ca.crt', { ...before, chainPem: '' })).toBe('leaf.pem: OK\n');
    expect(
      await local.signing.issuerOf({
        certificate: before.certificatePem,
        authorities: authorities.map((each) => each.certificatePem),
      }),
    ).toBe(1);
    const server = await keepServerCertificate({ dir: dir(), names: NAMES, signing: local.signing, clock });
    expect(verify('root/root.crt', { certificatePem: server.certificatePem, chainPem: authorities[0]?.chainPem ?? '' })).toBe(
      'leaf.pem: OK\n',
    );
    // Its CRL is still to be had.
    const oldId = authorities[1]?.id ?? '';
    await local.signing.makeCrl({ authorityId: oldId, number: 1, thisUpdateMs: 0, nextUpdateMs: 1_000, revoked: [] });
  });

  it('are not made twice; renewing gives a new key, and the intermediate before it stays until its end', async () => {
    initPki(options({ name: 'Acme', days: 100 }));
    expect(() => initPki(options())).toThrow(/already/);
    const signing = LocalSigning.open({ dir: dir(), clock });
    const [first] = await signing.authorities();
    const old = issueWith(signing);
    clock.advance(50 * DAY_MS);
    const { certificate, root } = renewIntermediate(options({ days: 100 }));
    expect([root.made, certificate.subject.replace(/[0-9a-f]{8}$/, '')]).toEqual([false, 'CN=Acme issuing authority ']);
    await signing.reload();
    expect((await signing.authorities()).map(({ id }) => id)[1]).toBe(first?.id);
    expect(verify('root/root.crt', issueWith(signing))).toBe('leaf.pem: OK\n');
    expect(verify('root/root.crt', old)).toBe('leaf.pem: OK\n');
    clock.advance(60 * DAY_MS);
    renewIntermediate(options());
    await signing.reload();
    expect((await signing.authorities()).map(({ id }) => id)).not.toContain(first?.id);
  });

  it('go on where the key of an earlier intermediate was destroyed, and stop where that of the issuing one is gone', async () => {
    initPki(options());
    renewIntermediate(options());
    const { intermediates } = JSON.parse(readFileSync(join(dir(), 'authorities.json'), 'utf8')) as {
      intermediates: { key: { file: string } }[];
    };
    const [now = '', before = ''] = intermediates.map(({ key }) => join(dir(), key.file));
    rmSync(before);
    const signing = LocalSigning.open({ dir: dir(), clock });
    expect((await signing.authorities()).map(({ canSign }) => canSign)).toEqual([true, false]);
    const old = (await signing.authorities())[1]?.id ?? '';
    await expect(
      signing.makeCrl({ authorityId: old, number: 1, thisUpdateMs: 0, nextUpdateMs: 1, revoked: [] }),
    ).rejects.toMatchObject({
      code: 'signer.unavailable',
    });
    rmSync(now);
    expect(() => LocalSigning.open({ dir: dir(), clock })).toThrow(/is not the key of/);
    writeFileSync(join(dir(), 'authorities.json'), '{');
    expect(() => LocalSigning.open({ dir: dir(), clock })).toThrow(/cannot be understood/);
  });

  it('keep apart: the root is never in the data folder, by whichever way', () => {
    mkdirSync(openssl.path('data'), { recursive: true });
    symlinkSync(openssl.path('data'), openssl.path('link'));
    for (const rootDir of ['data', 'data/root', 'link', 'link/a/b', 'x/../data/pki'])
      expect(() => initPki(options({ rootDir: openssl.path(rootDir) }))).toThrow(/must not be kept on the server/);
    expect(existsSync(openssl.path('data/root'))).toBe(false);
    for (const rootDir of ['data-root', '..data', '.']) {
      initPki(options({ rootDir: openssl.path(rootDir), dir: openssl.path(`data/${rootDir}-pki`) }));
      expect(existsSync(openssl.path(`${rootDir}/root.key`))).toBe(true);
    }
  });

  it('the key of the root may be under a passphrase, as openssl understands it', () => {
    initPki(options({ passphrase: 'correct horse' }));
    expect(readFileSync(openssl.path('root/root.key'), 'utf8')).toMatch(/BEGIN ENCRYPTED PRIVATE KEY/);
    expect(openssl.run('pkey', '-in', 'root/root.key', '-passin', 'pass:correct horse', '-noout')).toBe('');
    const iterations = /INTEGER\s+:(\w+)/.exec(openssl.run('asn1parse', '-in', 'root/root.key'))?.[1];
    expect(Number.parseInt(iterations ?? '', 16)).toBe(600_000);
    expect(() => renewIntermediate(options())).toThrow(/locked by a passphrase/);
    expect(() => renewIntermediate(options({ passphrase: 'wrong' }))).toThrow(/does not open/);
    renewIntermediate(options({ passphrase: 'correct horse' }));
  });

  it('a root that is not there, or has lost a part, is not made anew by a renewal', () => {
    expect(() => renewIntermediate(options())).toThrow(/there is no root in/);
    initPki(options());
    rmSync(openssl.path('root/root.crt'));
    expect(() => initPki(options({ dir: openssl.path('data/other') }))).toThrow(/no root\.crt/);
  });
});

describe('a root on another machine', () => {
  const root = (): ReturnType<typeof openRoot> =>
    openRoot({ rootDir: openssl.path('root'), dataDir: undefined, passphrase: undefined, clock, make: true });
  const sign = (csrPem: string): string => signIntermediate(root(), { csrPem, days: 100, clock }).bundlePem;
  const install = (bundlePem: string): unknown =>
    installIntermediate({ dir: dir(), bundlePem, key: readPendingKey(dir()), tokenPin: undefined, clock });

  it('signs what was asked for on the server, which takes it up', () => {
    const { csrPem } = requestIntermediate({ dir: dir(), token: undefined, tokenPin: undefined });
    expect(openssl.run('req', '-in', openssl.write('r.csr', csrPem), '-noout', '-verify')).toMatch(/verify OK/i);
    install(sign(csrPem));
    expect(verify('root/root.crt', issueWith(LocalSigning.open({ dir: dir(), clock })))).toBe('leaf.pem: OK\n');
    expect(() => readPendingKey(dir())).toThrow(/no certificate has been asked for/);
  });

  it('gives nothing that is taken for another key, by another root, or as no authority', () => {
    const first = requestIntermediate({ dir: dir(), token: undefined, tokenPin: undefined });
    const bundle = sign(first.csrPem);
    requestIntermediate({ dir: dir(), token: undefined, tokenPin: undefined });
    expect(() => install(bundle)).toThrow(/not for the key that was made here last/);
    const { csrPem } = requestIntermediate({ dir: dir(), token: undefined, tokenPin: undefined });
    const good = sign(csrPem);
    const [certificate = '', own = ''] = good.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
    const other = openRoot({ rootDir: openssl.path('other'), dataDir: undefined, passphrase: undefined, clock, make: true });
    for (const bad of [
      '',
      certificate,
      own + certificate,
      certificate + other.certificatePem,
      certificate + certificate,
      own + own,
    ])
      expect(() => install(bad)).toThrow(/is not taken/);
    const leaf = signIntermediate(other, { csrPem, days: 100, clock }).certificatePem;
    expect(() => install(leaf + own)).toThrow(/has not signed it/);
    openssl.write('r.csr', csrPem);
    openssl.run(
      'x509',
      '-req',
      '-in',
      'r.csr',
      '-CA',
      'root/root.crt',
      '-CAkey',
      'root/root.key',
      '-CAcreateserial',
      '-out',
      'leaf.crt',
    );
    const plain = readFileSync(openssl.path('leaf.crt'), 'utf8');
    expect(() => install(plain + own)).toThrow(/not that of an authority/);
    clock.advance(200 * DAY_MS);
    expect(() => install(good)).toThrow(/time of validity/);
    expect(existsSync(join(dir(), 'authorities.json'))).toBe(false);
  });
});
