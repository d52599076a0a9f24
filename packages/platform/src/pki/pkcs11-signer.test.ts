import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { findSoftHsm, SoftToken } from '../secrets/pkcs11/soft-token.fixture.ts';
import { Token } from '../secrets/pkcs11/token.ts';
import { LocalSigning } from './local-signing.ts';
import { OpenSsl, P384, rsa } from './openssl.fixture.ts';
import { ecdsaSignatureOf, Pkcs11Signer, tokenPublicKey } from './pkcs11-signer.ts';
import { initPki, renewIntermediate } from './pki-setup.ts';
import { issuingAuthority } from './server-certificate.ts';

const found = findSoftHsm();
if ('missing' in found) process.stderr.write(`skipped: ${found.missing}\n`);
const tbs = Buffer.from('to be signed');

describe.skipIf('missing' in found)('a key in a PKCS#11 token', () => {
  // Of a process, not of a test: the module keeps the tokens that it has seen.
  const soft = 'module' in found ? new SoftToken(found.module) : undefined;
  afterAll(() => soft?.[Symbol.dispose]());
  const place = (): SoftToken => {
    if (soft === undefined) throw new Error('no token');
    return soft;
  };
  const open = (pin: () => string = () => place().pin): Token => new Token({ module: place().module, token: place().label, pin });
  const verified = (signer: Pkcs11Signer): boolean =>
    verify('sha256', tbs, { key: signer.publicKey, format: 'der', type: 'spki' }, signer.sign(tbs));
  const codeOf = (work: () => unknown): string => {
    try {
      work();
      return 'done';
    } catch (error) {
      return error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error);
    }
  };

  it('is made there where there is none, found again, and signs', () => {
    const token = open();
    const { publicKey, made } = tokenPublicKey(token, { label: 'made here' }, { make: true });
    expect(made).toBe(true);
    const again = open();
    expect(tokenPublicKey(again, { label: 'made here' }, { make: true })).toEqual({ publicKey, made: false });
    expect(verified(new Pkcs11Signer({ token: again, name: { label: 'made here' }, publicKey }))).toBe(true);
    // CKA_SENSITIVE, CKA_EXTRACTABLE of CKO_PRIVATE_KEY: the token does not give the key away.
    const rights = again.use(({ cryptoki, handle }) => {
      const [key = 0] = cryptoki.find(handle, [{ type: 0, value: 3 }], 1);
      return [0x103, 0x162].map((type) => cryptoki.attribute(handle, key, type)[0]);
    });
    expect(rights).toEqual([1, 0]);
    token.close();
    again.close();
  });

  it.each([
    ['RSA-2048', '01', rsa(2_048)],
    ['P-384', '02', P384],
  ])('may be of another kind, brought by other programs: %s', (kind, id, key) => {
    using openssl = new OpenSsl();
    openssl.run('genpkey', ...key, '-out', 'key.pem');
    place().run(
      'softhsm2-util',
      '--import',
      openssl.path('key.pem'),
      '--token',
      place().label,
      '--label',
      kind,
      '--id',
      id,
      '--pin',
      place().pin,
    );
    const token = open();
    for (const name of [{ id }, { label: kind }, { id, label: kind }]) {
      const { publicKey } = tokenPublicKey(token, name, { make: false });
      const signer = new Pkcs11Signer({ token, name, publicKey });
      const hash = kind === 'P-384' ? 'sha384' : 'sha256';
      expect(verify(hash, tbs, { key: publicKey, format: 'der', type: 'spki' }, signer.sign(tbs))).toBe(true);
    }
    token.close();
  });

  it('that is not there, is there twice or is another one is told clearly', () => {
    const token = open();
    expect(codeOf(() => tokenPublicKey(token, { label: 'nowhere' }, { make: false }))).toMatch(
      /^signer\.unavailable: the token has no private key with the label "nowhere"/,
    );
    for (const id of ['a1', 'a2']) tokenPublicKey(token, { label: 'twins', id }, { make: true });
    expect(codeOf(() => tokenPublicKey(token, { label: 'twins' }, { make: false }))).toMatch(/more than one private key/);
    const { publicKey } = tokenPublicKey(token, { id: 'a2' }, { make: false });
    const other = new Pkcs11Signer({ token, name: { id: 'a1' }, publicKey });
    expect(codeOf(() => other.sign(tbs))).toMatch(/is not that of the authority/);
    token.close();
  });

  it('survives that the token is taken out and put back', () => {
    const token = open();
    const { publicKey } = tokenPublicKey(token, { label: 'travels' }, { make: true });
    const signer = new Pkcs11Signer({ token, name: { label: 'travels' }, publicKey });
    expect(verified(signer)).toBe(true);
    place().takeOut();
    for (let n = 0; n < 3; n++)
      expect(codeOf(() => signer.sign(tbs))).toMatch(/^signer\.unavailable: no token "selsyn test" is in a slot/);
    place().putBack();
    expect(verified(signer)).toBe(true);
    token.close();
  });

  it('is not reached by a wrong PIN, which is tried only once', () => {
    let pin = 'wrong!';
    let asked = 0;
    const token = open(() => (asked++, pin));
    expect(codeOf(() => tokenPublicKey(token, { label: 'made here' }, { make: false }))).toMatch(
      /refuses the PIN \(C_Login answered CKR_PIN_INCORRECT\)/,
    );
    for (let n = 0; n < 20; n++)
      expect(codeOf(() => tokenPublicKey(token, { label: 'made here' }, { make: false }))).toMatch(
        /has refused the PIN; it is not tried again/,
      );
    expect(asked).toBe(21);
    // Corrected in its file while the server runs.
    pin = place().pin;
    expect(tokenPublicKey(token, { label: 'made here' }, { make: false }).made).toBe(false);
    token.close();
  });

  it('tells that there is no such module, or that it is none', () => {
    const none = new Token({ module: '/nowhere/pkcs11.so', token: 'x', pin: () => '' });
    expect(codeOf(() => none.use(() => 1))).toMatch(
      /^signer\.unavailable: the PKCS#11 module \/nowhere\/pkcs11\.so cannot be loaded/,
    );
  });

  it('issues for devices: as the key of an intermediate, renewed in the same token', async () => {
    using openssl = new OpenSsl();
    const clock = new FakeClock(Date.UTC(2027, 0, 1));
    const pinFile = join(openssl.dir, 'pin');
    writeFileSync(pinFile, `${place().pin}\n`);
    const dir = openssl.path('pki');
    const options = {
      dir,
      rootDir: openssl.path('root'),
      dataDir: openssl.path('data'),
      passphrase: undefined,
      name: 'Acme',
      days: 100,
      tokenPin: undefined,
      clock,
    };
    initPki({ ...options, token: { module: place().module, token: place().label, pinFile } });
    const signing = LocalSigning.open({ dir, clock });
    const issue = (): string => {
      const result = signing.issueOne({
        key: { generate: true },
        commonName: 'd1',
        use: 'client',
        notBeforeMs: clock.now(),
        notAfterMs: clock.now() + 86_400_000,
      });
      if ('refused' in result) throw new Error(result.refused.message);
      const { certificatePem, chainPem } = result.issued;
      openssl.write('leaf.pem', certificatePem);
      openssl.write('chain.pem', chainPem);
      const at = String(clock.now() / 1_000 + 60);
      return openssl.run(
        'verify',
        '-x509_strict',
        '-attime',
        at,
        '-CAfile',
        'root/root.crt',
        '-untrusted',
        'chain.pem',
        'leaf.pem',
      );
    };
    expect(issue()).toBe('leaf.pem: OK\n');
    const { id } = await issuingAuthority(signing);
    const crl = await signing.makeCrl({
      authorityId: id,
      number: 1,
      thisUpdateMs: clock.now(),
      nextUpdateMs: clock.now() + 1_000,
      revoked: [],
    });
    openssl.write('list.crl', crl);
    expect(openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-noout', '-CAfile', 'chain.pem')).toMatch(/verify OK/);

    renewIntermediate({ ...options, token: undefined });
    await signing.reload();
    expect((await issuingAuthority(signing)).id).not.toBe(id);
    expect(issue()).toBe('leaf.pem: OK\n');
    // The one before it still signs its CRL.
    await signing.makeCrl({
      authorityId: id,
      number: 2,
      thisUpdateMs: clock.now(),
      nextUpdateMs: clock.now() + 1_000,
      revoked: [],
    });

    place().takeOut();
    expect(() => issue()).toThrow(/no token/);
    expect((await signing.authorities()).length).toBe(2);
    place().putBack();
    expect(issue()).toBe('leaf.pem: OK\n');
    writeFileSync(pinFile, '');
    await signing.reload();
    expect(() => issue()).toThrow(/there is no PIN in/);
  });
});

describe('a raw ECDSA signature', () => {
  it('becomes the DER that OpenSSL verifies, whatever its first digits are', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const raw = (r: string, s: string): string =>
      ecdsaSignatureOf(Buffer.from(r.padStart(64, '0') + s.padStart(64, '0'), 'hex')).toString('hex');
    expect(raw('1', '80')).toBe('300702010102020080');
    expect(raw('7f', 'ff')).toBe('300702017f020200ff');
    for (let n = 0; n < 300; n++) {
      const data = Buffer.from(String(n));
      const der = ecdsaSignatureOf(signRaw(privateKey, data));
      expect(verify('sha256', data, publicKey, der)).toBe(true);
    }
  });
});

function signRaw(key: KeyObject, data: Buffer): Buffer {
  return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
}
