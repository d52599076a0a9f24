import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as OracleCertificate,
} from '@peculiar/x509';
import { createPrivateKey, generateKeyPairSync, type KeyPairKeyObjectResult, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { describeCertificate } from './certificate-reading.ts';
import { LocalSigning } from './local-signing.ts';
import { OpenSsl, P256, rsa } from './openssl.fixture.ts';
import { issuingAuthority } from './server-certificate.ts';
import type { IssuedCertificate, IssueRequest, SigningAuthority } from './signing.ts';

const DAY_MS = 86_400_000;
const openssl = new OpenSsl();
const clock = new FakeClock(Date.UTC(2027, 0, 1, 0, 0, 0, 123));
let signing: LocalSigning;
let authority: SigningAuthority;
let csr = '';
beforeAll(async () => {
  signing = LocalSigning.open({ dir: openssl.path('pki'), clock, publicUrl: 'http://pki.example.com/selsyn/' });
  authority = await issuingAuthority(signing);
  csr = openssl.csr(P256);
});
afterAll(() => openssl[Symbol.dispose]());

const year = (): Pick<IssueRequest, 'notBeforeMs' | 'notAfterMs'> => ({
  notBeforeMs: clock.now(),
  notAfterMs: clock.now() + 365 * DAY_MS,
});
const device = (): IssueRequest => ({ key: { csr }, commonName: 'd1', use: 'client', ...year() });
const issue = (request: Partial<IssueRequest> = {}): IssuedCertificate => {
  const result = signing.issueOne({ ...device(), ...request });
  if ('refused' in result) throw new Error(result.refused.message);
  return result.issued;
};
const refusal = (request: Partial<IssueRequest>): string => {
  const result = signing.issueOne({ ...device(), ...request });
  return 'refused' in result ? result.refused.code : 'issued';
};
const verify = (pem: string, ...args: readonly string[]): string => {
  openssl.write('ca.pem', authority.rootPem);
  const at = String(Math.floor(clock.now() / 1_000) + 60);
  return openssl.run('verify', '-x509_strict', '-attime', at, '-CAfile', 'ca.pem', ...args, openssl.write('leaf.pem', pem));
};

describe('an issued certificate', () => {
  it('verifies for openssl, for the client use alone, and is told as it is', () => {
    const issued = issue();
    expect(verify(issued.certificatePem, '-purpose', 'sslclient')).toMatch(/OK\n$/);
    expect(verify(issued.certificatePem, '-purpose', 'sslserver')).toMatch(/purpose/);
    const node = new X509Certificate(issued.certificatePem);
    expect(issued).toMatchObject({
      id: node.fingerprint256.replaceAll(':', '').toLowerCase(),
      serial: node.serialNumber.toLowerCase(),
      subject: node.subject,
      authorityId: authority.id,
      keyKind: 'P-256',
      notBeforeMs: node.validFromDate.getTime(),
      notAfterMs: node.validToDate.getTime(),
      chainPem: '',
    });
    expect(node.raw.equals(issued.der)).toBe(true);
    expect(node.toString()).toBe(issued.certificatePem);
    const { id, serial, keyHash, keyKind, isAuthority, commonName } = describeCertificate(issued.certificatePem);
    expect({ id, serial, keyHash, keyKind, isAuthority, commonName }).toEqual({
      id: issued.id,
      serial: issued.serial,
      keyHash: issued.keyHash,
      keyKind: 'P-256',
      isAuthority: false,
      commonName: 'd1',
    });
  });

  it('has nothing of what the request asked for: no name, no rights of an authority, no alternative name', () => {
    const greedy = openssl.csrOf(
      'key.pem',
      '-subj',
      '/CN=admin/O=Acme',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign',
      '-addext',
      'subjectAltName=DNS:d2,URI:urn:d2',
    );
    const issued = issue({ key: { csr: greedy } });
    const node = new X509Certificate(issued.der);
    expect([node.subject, node.ca, node.subjectAltName]).toEqual(['CN=d1', false, undefined]);
    expect(openssl.run('x509', '-in', openssl.write('leaf.pem', issued.certificatePem), '-noout', '-text')).not.toMatch(
      /CA:TRUE|Certificate Sign|DNS:|admin|Acme/,
    );
    // It cannot be used as an authority either.
    openssl.run('req', '-new', '-key', 'key.pem', '-subj', '/CN=d2', '-out', 'd2.csr');
    openssl.run('x509', '-req', '-in', 'd2.csr', '-CA', 'leaf.pem', '-CAkey', 'key.pem', '-CAcreateserial', '-out', 'd2.pem');
    expect(openssl.run('verify', '-CAfile', 'ca.pem', '-untrusted', 'leaf.pem', 'd2.pem')).toMatch(/invalid CA certificate/);
  });

  it('says where its CRL, its OCSP answers and its authority are, if somebody publishes them', () => {
    const text = openssl.run('x509', '-in', openssl.write('leaf.pem', issue().certificatePem), '-noout', '-text');
    expect(text).toContain(`URI:http://pki.example.com/selsyn/pki/crl/${authority.id}.crl`);
    expect(text).toContain('OCSP - URI:http://pki.example.com/selsyn/pki/ocsp');
    expect(text).toContain(`CA Issuers - URI:http://pki.example.com/selsyn/pki/ca/${authority.id}.cer`);
    const quiet = LocalSigning.open({ dir: openssl.path('pki'), clock }).issueOne(device());
    if ('refused' in quiet) throw new Error(quiet.refused.message);
    expect(new X509Certificate(quiet.issued.der).infoAccess).toBeUndefined();
  });

  it('has the names of a server, addresses of both families among them', () => {
    const names = [
      { type: 'dns', value: 'broker.example.com' },
      { type: 'ip', value: '10.0.0.7' },
      { type: 'ip', value: '::1' },
      { type: 'ip', value: '2001:db8::7:0' },
      { type: 'ip', value: '::ffff:10.1.2.3' },
    ] as const;
    const { certificatePem } = issue({ use: 'server', names, commonName: 'Selsyn' });
    for (const [flag, name] of [
      ['-verify_hostname', 'broker.example.com'],
      ['-verify_ip', '10.0.0.7'],
      ['-verify_ip', '::1'],
      ['-verify_ip', '2001:db8::7:0'],
      ['-verify_ip', '::ffff:10.1.2.3'],
    ] as const)
      expect(verify(certificatePem, '-purpose', 'sslserver', flag, name)).toMatch(/OK\n$/);
    expect(verify(certificatePem, '-verify_ip', '10.0.0.8')).toMatch(/IP address mismatch/);
    const oracle = new OracleCertificate(certificatePem).getExtension(SubjectAlternativeNameExtension);
    expect(oracle?.names.items.length).toBe(names.length);
  });

  it('reads the same in another library, whatever the name and the time', () => {
    fc.assert(
      fc.property(
        fc
          .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
          .filter((name) => !/[\p{Cc}]/u.test(name) && name.isWellFormed()),
        fc.integer({ min: 1, max: 3_000 }),
        (commonName, days) => {
          const issued = issue({ commonName, notAfterMs: clock.now() + days * DAY_MS });
          const oracle = new OracleCertificate(issued.certificatePem);
          expect(oracle.subjectName.getField('CN')).toEqual([commonName]);
          expect(oracle.serialNumber).toBe(issued.serial);
          expect([oracle.notBefore.getTime(), oracle.notAfter.getTime()]).toEqual([issued.notBeforeMs, issued.notAfterMs]);
          expect(oracle.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: false, critical: true });
          expect(oracle.getExtension(KeyUsagesExtension)).toMatchObject({
            usages: KeyUsageFlags.digitalSignature,
            critical: true,
          });
          expect(oracle.getExtension(ExtendedKeyUsageExtension)?.usages).toEqual(['1.3.6.1.5.5.7.3.2']);
          const issuer = new OracleCertificate(authority.certificatePem);
          expect(oracle.issuer).toBe(issuer.subject);
          expect(oracle.getExtension(AuthorityKeyIdentifierExtension)?.keyId).toBe(
            issuer.getExtension(SubjectKeyIdentifierExtension)?.keyId,
          );
          // Encoded again from what it read, byte for byte.
          expect(Buffer.from(oracle.rawData).equals(issued.der)).toBe(true);
          expect(describeCertificate(issued.der).commonName).toBe(commonName);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never has a serial number twice, nor one that is not 16 bytes and positive', () => {
    const serials = Array.from({ length: 200 }, () => issue().serial);
    expect(new Set(serials).size).toBe(200);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('is never valid outside of the time of its authority, and not issued where none is left', () => {
    const long = issue({ notBeforeMs: 0, notAfterMs: clock.now() + 50_000 * DAY_MS });
    expect([long.notBeforeMs, long.notAfterMs]).toEqual([authority.notBeforeMs, authority.notAfterMs]);
    expect(verify(long.certificatePem)).toMatch(/OK\n$/);
    expect(refusal({ notBeforeMs: clock.now(), notAfterMs: clock.now() })).toBe('request.invalid');
    expect(refusal({ notBeforeMs: Number.NaN })).toBe('request.invalid');
    expect(refusal({ notBeforeMs: authority.notAfterMs, notAfterMs: authority.notAfterMs + DAY_MS })).toBe('request.invalid');
  });

  it('has a common name that can be printed', () => {
    for (const commonName of ['', 'a\nb', 'a\0', 'x'.repeat(129), '\ud800'])
      expect(refusal({ commonName })).toBe('request.invalid');
    expect(issue({ commonName: 'x'.repeat(128) }).subject.length).toBe(131);
    // One name, not three.
    expect(
      new OracleCertificate(issue({ commonName: 'a,O=b+CN=c' }).der as Uint8Array<ArrayBuffer>).subjectName.toJSON(),
    ).toEqual([{ CN: ['a,O=b+CN=c'] }]);
  });

  it('comes with a key where one was asked for, on P-256', () => {
    const { certificatePem, privateKeyPem = '', keyKind } = issue({ key: { generate: true } });
    expect(keyKind).toBe('P-256');
    expect(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
    expect(issue().privateKeyPem).toBeUndefined();
  });

  it('is for a public key only if that is one of the kinds that are taken', () => {
    const spki = ({ publicKey }: KeyPairKeyObjectResult): Buffer => publicKey.export({ type: 'spki', format: 'der' });
    const good = spki(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
    expect(issue({ key: { publicKey: new Uint8Array(good) } }).keyKind).toBe('P-384');
    expect(refusal({ key: { publicKey: spki(generateKeyPairSync('ed25519')) } })).toBe('csr.weak-key');
    expect(refusal({ key: { publicKey: good.subarray(1) } })).toBe('request.invalid');
    const beside = Buffer.from(good);
    beside[100] = (beside[100] ?? 0) ^ 1;
    expect(refusal({ key: { publicKey: beside } })).toBe('request.invalid');
  });

  it('is one of a batch in which others may be refused', async () => {
    const results = await signing.issue([device(), { ...device(), key: { csr: 'nonsense' } }, { ...device(), commonName: 'd3' }]);
    expect(results.map((result) => ('issued' in result ? result.issued.subject : result.refused.code))).toEqual([
      'CN=d1',
      'csr.invalid',
      'CN=d3',
    ]);
  });

  it('is found again by who has signed it', async () => {
    const other = LocalSigning.open({ dir: openssl.path('other'), clock });
    const strange = (await issuingAuthority(other)).certificatePem;
    const { certificatePem, der } = issue();
    expect(await signing.issuerOf({ certificate: certificatePem, authorities: [strange, authority.certificatePem] })).toBe(1);
    expect(await signing.issuerOf({ certificate: der, authorities: [strange] })).toBeUndefined();
    await expect(signing.issuerOf({ certificate: 'x', authorities: [] })).rejects.toMatchObject({ code: 'certificate.invalid' });
  });
});

describe('an authority that somebody brings', () => {
  const code = '4f1c0a7e';
  const run = (...args: readonly string[]): void => void openssl.run(...args);
  const bring = (name: string, key: readonly string[], ...args: readonly string[]): string => {
    run('genpkey', ...key, '-out', `${name}.key`);
    return openssl.run('req', '-x509', '-key', `${name}.key`, '-subj', `/O=Acme/CN=${name}`, '-days', '30', ...args);
  };
  const prove = (name: string, pem: string, commonName: string): string => {
    openssl.write(`${name}.crt`, pem);
    run('req', '-new', '-key', 'key.pem', '-subj', `/O=Acme/CN=${commonName}`, '-out', 'proof.csr');
    return openssl.run('x509', '-req', '-in', 'proof.csr', '-CA', `${name}.crt`, '-CAkey', `${name}.key`, '-CAcreateserial');
  };
  const nowSigning = (): LocalSigning =>
    LocalSigning.open({ dir: openssl.path('now'), clock: new FakeClock(Date.now() + 60_000) });
  const codeOf = async (authorityPem: string, proofPem: string, given = code): Promise<string> => {
    try {
      const { isAuthority, commonName } = await nowSigning().verifyPossession({ authorityPem, proofPem, code: given });
      return `${isAuthority} ${commonName}`;
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error);
    }
  };

  it('is taken once a certificate with the code, signed by its key, proves that they have it', async () => {
    for (const key of [P256, rsa(2_048)]) {
      const pem = bring('theirs', key);
      const proof = prove('theirs', pem, code);
      expect(await codeOf(pem, proof)).toBe('true theirs');
      expect(await codeOf(pem, proof, 'another')).toBe('certificate.no-possession');
      expect(await codeOf(pem, prove('theirs', pem, ''))).toBe('certificate.no-possession');
      expect(await codeOf(pem, pem, 'theirs')).toBe('certificate.no-possession');
      const twin = bring('theirs', key);
      expect(await codeOf(pem, prove('theirs', twin, code))).toBe('certificate.no-possession');
    }
  });

  it('is not taken when it is none, is out of its time, has a weak key, or cannot be read', async () => {
    const leaf = bring('leaf', P256, '-addext', 'basicConstraints=critical,CA:FALSE');
    expect(await codeOf(leaf, prove('leaf', leaf, code))).toBe('certificate.invalid');
    const weak = bring('weak', rsa(1_024));
    expect(await codeOf(weak, prove('weak', weak, code))).toBe('certificate.invalid');
    const good = bring('good', P256);
    const proof = prove('good', good, code);
    const later = LocalSigning.open({ dir: openssl.path('now'), clock: new FakeClock(Date.now() + 31 * DAY_MS) });
    await expect(later.verifyPossession({ authorityPem: good, proofPem: proof, code })).rejects.toMatchObject({
      code: 'certificate.invalid',
    });
    for (const bad of ['', 'x', good.slice(0, 200), good + good, csr])
      expect(await codeOf(bad, proof)).toBe('certificate.invalid');
  });

  it('altered certificates never crash who reads them', () => {
    const good = issue().der;
    fc.assert(
      fc.property(
        fc.nat({ max: good.length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        fc.nat({ max: good.length }),
        (at, value, end) => {
          const altered = Buffer.from(good.subarray(0, Math.max(at + 1, end)));
          altered[at] = value;
          try {
            describeCertificate(altered);
          } catch (error) {
            expect(error).toMatchObject({ code: 'certificate.invalid' });
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
