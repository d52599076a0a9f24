import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { openAuthorities } from './authorities.ts';
import { describeCertificate } from './certificate-reading.ts';
import { LocalSigning } from './local-signing.ts';
import { MAX_OCSP_REQUEST_BYTES, ocspIssuerHashes, readOcspRequest } from './ocsp-request.ts';
import { makeOcspResponse, ocspError } from './ocsp-response.ts';
import { OpenSsl } from './openssl.fixture.ts';
import { issuingAuthority } from './server-certificate.ts';
import type { IssuedCertificate, OcspAnswer, OcspStatus, SigningAuthority } from './signing.ts';

const HOUR_MS = 3_600_000;
const openssl = new OpenSsl();
const clock = new FakeClock(Date.now());
let signing: LocalSigning;
let authority: SigningAuthority;
beforeAll(async () => {
  signing = LocalSigning.open({ dir: openssl.path('pki'), clock });
  authority = await issuingAuthority(signing);
  openssl.write('ca.pem', authority.certificatePem);
});
afterAll(() => openssl[Symbol.dispose]());

const issue = (): IssuedCertificate => {
  const validity = { notBeforeMs: clock.now(), notAfterMs: clock.now() + 24 * HOUR_MS };
  const result = signing.issueOne({ key: { generate: true }, commonName: 'd1', use: 'client', ...validity });
  if ('refused' in result) throw new Error(result.refused.message);
  return result.issued;
};
/** What `openssl ocsp` asks about certificates. */
const ask = (issued: readonly IssuedCertificate[], ...args: readonly string[]): Buffer => {
  const certs = issued.flatMap(({ certificatePem }, n) => ['-cert', openssl.write(`leaf${n}.pem`, certificatePem)]);
  openssl.run('ocsp', ...args, '-issuer', 'ca.pem', ...certs, '-reqout', 'request.der');
  return readFileSync(openssl.path('request.der'));
};
const answerOf = (request: Buffer, statuses: readonly OcspStatus[]): OcspAnswer => {
  const { certIds, nonce } = readOcspRequest(request);
  return {
    authorityId: authority.id,
    nonce,
    thisUpdateMs: clock.now(),
    nextUpdateMs: clock.now() + HOUR_MS,
    answers: certIds.map((certId, n) => ({ certId, status: statuses[n] ?? { status: 'unknown' } })),
  };
};
/** What `openssl ocsp` makes of an answer to its last request. */
const read = (answer: Uint8Array, count: number, hash = '-sha1'): string => {
  openssl.write('answer.der', answer);
  const certs = Array.from({ length: count }, (_, n) => ['-cert', `leaf${n}.pem`]).flat();
  // With the request it compares nonces, with the certificates it tells their status; it does not do both at once.
  const common = ['ocsp', '-respin', 'answer.der', '-issuer', 'ca.pem', '-CAfile', 'ca.pem'];
  return `${openssl.run(...common, '-reqin', 'request.der', '-resp_text')}${openssl.run(...common, hash, ...certs, '-no_nonce')}`;
};

describe('OCSP', () => {
  it('answers what openssl asks, with its nonce, signed by one whom the authority has certified for that', async () => {
    const issued = [issue(), issue(), issue()];
    const request = ask(issued);
    const revokedAtMs = clock.now() - HOUR_MS;
    const statuses: readonly OcspStatus[] = [
      { status: 'good' },
      { status: 'revoked', revokedAtMs, reason: 'keyCompromise' },
      { status: 'unknown' },
    ];
    const answer = read(await signing.answerOcsp(answerOf(request, statuses)), 3);
    expect(answer).toMatch(/Response verify OK/);
    expect(answer).toMatch(/leaf0\.pem: good/);
    expect(answer).toMatch(/leaf1\.pem: revoked[^]*Reason: keyCompromise/);
    expect(answer).toMatch(/leaf2\.pem: unknown/);
    expect(answer).toContain(`Revocation Time: ${opensslTime(revokedAtMs)}`);
    expect(answer).toMatch(/OCSP Nonce/);
    expect(answer).not.toMatch(/WARNING: no nonce|Nonce Verify error/);
    expect(answer).toMatch(/Subject: CN ?= ?Selsyn OCSP responder/);
    expect(answer).toMatch(/OCSP Signing[^]*OCSP No Check/);
  });

  it('names the certificate as it was asked for, by SHA-1 or SHA-256, and finds its authority by that', async () => {
    const issued = issue();
    for (const [flag, hash] of [
      ['-sha1', 'sha1'],
      ['-sha256', 'sha256'],
    ] as const) {
      const [certId] = readOcspRequest(ask([issued], flag, '-no_nonce')).certIds;
      const { nameHash, keyHash } = ocspIssuerHashes(authority.certificatePem)[hash];
      expect(certId).toMatchObject({ hash, serial: issued.serial, issuerNameHash: nameHash, issuerKeyHash: keyHash });
      const answer = read(
        await signing.answerOcsp(answerOf(readFileSync(openssl.path('request.der')), [{ status: 'good' }])),
        1,
        flag,
      );
      expect(answer).toMatch(/Response verify OK[^]*leaf0\.pem: good[^]*Response verify OK/);
      expect(answer).not.toMatch(/OCSP Nonce/);
    }
  });

  it('may be signed by the key of the authority itself', () => {
    const request = ask([issue()]);
    const [{ issuer }] = openAuthorities({ dir: openssl.path('pki'), clock });
    if (issuer === undefined) throw new Error('no key');
    const answer = makeOcspResponse({ signer: issuer.signer, certificate: undefined }, answerOf(request, [{ status: 'good' }]));
    expect(read(answer, 1)).toMatch(/Response verify OK[^]*leaf0\.pem: good[^]*Response verify OK/);
  });

  it('has a responder that is renewed in time', async () => {
    const request = ask([issue()]);
    const responderOf = async (): Promise<string> => {
      const [pem = ''] =
        /-----BEGIN CERT[^]+?END CERTIFICATE-----/.exec(read(await signing.answerOcsp(answerOf(request, [])), 1)) ?? [];
      return describeCertificate(pem).id;
    };
    const first = await responderOf();
    clock.advance(6 * 24 * HOUR_MS);
    expect(await responderOf()).toBe(first);
    clock.advance(2 * 24 * HOUR_MS);
    expect(await responderOf()).not.toBe(first);
  });

  it('answers with a bare status where there is nothing to sign', () => {
    const printed = (status: Parameters<typeof ocspError>[0]): string => {
      openssl.write('error.der', ocspError(status));
      return openssl.run('ocsp', '-respin', 'error.der', '-noverify', '-resp_text');
    };
    expect(printed('malformedRequest')).toMatch(/malformedrequest \(1\)/);
    expect(printed('tryLater')).toMatch(/trylater \(3\)/);
    expect(printed('unauthorized')).toMatch(/unauthorized \(6\)/);
  });

  it('never crashes on what is no request', () => {
    const good = ask([issue()]);
    const code = (bytes: Uint8Array): string => {
      try {
        readOcspRequest(bytes);
        return 'read';
      } catch (error) {
        return error instanceof Error && 'code' in error ? String(error.code) : String(error);
      }
    };
    for (let length = 0; length < good.length; length++) expect(code(good.subarray(0, length))).toBe('request.invalid');
    expect(code(Buffer.alloc(MAX_OCSP_REQUEST_BYTES + 1))).toBe('request.invalid');
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const altered = Buffer.from(good);
        altered[at] = value;
        expect(code(altered)).toMatch(/^(read|request\.invalid)$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(code(bytes)).toBe('request.invalid');
      }),
    );
  });
});

/** `Jan  1 00:00:00 2027 GMT` */
function opensslTime(ms: number): string {
  const [, day = '', month = '', year = '', time = ''] = new Date(ms).toUTCString().split(' ');
  return `${month} ${day.replace(/^0/, ' ')} ${time} ${year} GMT`;
}
