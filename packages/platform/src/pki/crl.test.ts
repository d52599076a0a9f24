import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { encodeRevoked } from './crl.ts';
import { readWhole } from './der-reader.ts';
import { contextTag } from './der-writer.ts';
import { LocalSigning } from './local-signing.ts';
import { OpenSsl } from './openssl.fixture.ts';
import { issuingAuthority } from './server-certificate.ts';
import type { IssuedCertificate, RevokedCertificate, SigningAuthority } from './signing.ts';

const HOUR_MS = 3_600_000;
const openssl = new OpenSsl();
const clock = new FakeClock(Date.UTC(2027, 0, 1));
let signing: LocalSigning;
let authority: SigningAuthority;
beforeAll(async () => {
  signing = LocalSigning.open({ dir: openssl.path('pki'), clock });
  authority = await issuingAuthority(signing);
  openssl.write('ca.pem', authority.certificatePem);
});
afterAll(() => openssl[Symbol.dispose]());

const make = async (...pages: readonly (readonly RevokedCertificate[])[]): Promise<Uint8Array> =>
  await signing.makeCrl({
    authorityId: authority.id,
    number: 258,
    thisUpdateMs: clock.now(),
    nextUpdateMs: clock.now() + 24 * HOUR_MS,
    revoked: pages.map(encodeRevoked),
  });
const issue = (): IssuedCertificate => {
  const validity = { notBeforeMs: clock.now(), notAfterMs: clock.now() + 24 * HOUR_MS };
  const result = signing.issueOne({ key: { generate: true }, commonName: 'd1', use: 'client', ...validity });
  if ('refused' in result) throw new Error(result.refused.message);
  return result.issued;
};
const text = (crl: Uint8Array): string =>
  openssl.run('crl', '-inform', 'DER', '-in', openssl.write('list.crl', crl), '-noout', '-text', '-CAfile', 'ca.pem');

describe('a CRL', () => {
  it('makes openssl refuse what it names, and nothing else', async () => {
    const [good, bad] = [issue(), issue()];
    const crl = await make([{ serial: bad.serial, revokedAtMs: clock.now(), reason: 'keyCompromise' }]);
    openssl.write('list.crl', crl);
    openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-out', 'list.pem');
    const at = String(clock.now() / 1_000 + 60);
    const check = ({ certificatePem }: IssuedCertificate): string =>
      openssl.run(
        'verify',
        '-crl_check',
        '-x509_strict',
        '-attime',
        at,
        '-CAfile',
        'ca.pem',
        '-CRLfile',
        'list.pem',
        openssl.write('leaf.pem', certificatePem),
      );
    expect(check(good)).toMatch(/OK\n$/);
    expect(check(bad)).toMatch(/certificate revoked/);
  });

  it('has its number, its times, the reasons', async () => {
    const crl = await make([
      { serial: '0a', revokedAtMs: Date.UTC(2026, 11, 31, 23, 59, 59, 999), reason: 'superseded' },
      { serial: 'ff00', revokedAtMs: Date.UTC(2051, 0, 1), reason: 'unspecified' },
    ]);
    const printed = text(crl);
    expect(printed).toMatch(/verify OK/);
    expect(printed).toMatch(/Version 2/);
    expect(printed).toMatch(/X509v3 CRL Number: \n +258\n/);
    expect(printed).toMatch(/Last Update: Jan {2}1 00:00:00 2027 GMT\n +Next Update: Jan {2}2 00:00:00 2027 GMT/);
    expect(printed).toMatch(
      /Serial Number: 0A\n +Revocation Date: Dec 31 23:59:59 2026 GMT\n +CRL entry extensions:\n +X509v3 CRL Reason Code: \n +Superseded/,
    );
    expect(printed).toMatch(/Serial Number: FF00\n +Revocation Date: Jan {2}1 00:00:00 2051 GMT\n +Signature Algorithm/);
    expect(printed.match(/Authority Key Identifier: \n +([0-9A-F:]+)/)?.[1]).toBeDefined();
  });

  it('of nobody has no list', async () => {
    const fields = readWhole(await make()).enter();
    for (const _ of ['version', 'algorithm', 'issuer', 'this update', 'next update']) fields.next();
    expect(fields.next().tag).toBe(contextTag(0));
    expect(text(await make())).toMatch(/No Revoked Certificates[^]*verify OK/);
    expect(text(await make([]))).toMatch(/No Revoked Certificates/);
  });

  it('of ten thousand, made page by page, names each of them', async () => {
    const all = Array.from({ length: 10_000 }, (_, n) => ({
      serial: issueSerial(n),
      revokedAtMs: clock.now() - n * 1_000,
      reason: n % 2 === 0 ? ('keyCompromise' as const) : ('unspecified' as const),
    }));
    const crl = await make(all.slice(0, 4_000), all.slice(4_000, 4_001), all.slice(4_001));
    const printed = text(crl);
    expect(printed).toMatch(/verify OK/);
    const read = [...printed.matchAll(/Serial Number: (\w+)\n +Revocation Date: (.*)\n( +CRL entry)?/g)];
    expect(read.map(([, serial, date = '', reason]) => [serial?.toLowerCase(), Date.parse(date), reason !== undefined])).toEqual(
      all.map(({ serial, revokedAtMs, reason }) => [serial, revokedAtMs, reason !== 'unspecified']),
    );
  });

  it('is made only by an authority of this server, of serial numbers', async () => {
    const request = { authorityId: '00', number: 1, thisUpdateMs: 0, nextUpdateMs: 0, revoked: [] };
    await expect(signing.makeCrl(request)).rejects.toMatchObject({ code: 'authority.not-found' });
    for (const serial of ['', 'xyz', '0'.repeat(42)])
      expect(() => encodeRevoked([{ serial, revokedAtMs: 0, reason: 'unspecified' }])).toThrow(RangeError);
  });
});

function issueSerial(n: number): string {
  return (0x40000000 + n * 7_919).toString(16).padStart(32, '4');
}
