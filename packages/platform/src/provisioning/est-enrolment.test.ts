import { createHmac, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { der, objectId, sequence, TAG, utf8String } from '../pki/der-writer.ts';
import { csrDer, openTestDoors, type TestDoors } from './doors.fixture.ts';
import { makeCsr } from './csr.fixture.ts';
import type { EstResult } from './est-enrolment.ts';
import { GREENHOUSE, newCsr, TEMPLATE, TEST_ACTOR } from './provisioning.fixture.ts';
import { newVendor, registerVendor } from './vendor.fixture.ts';

const remoteAddress = '192.0.2.7';

async function open(
  manifest = 'serial\n1\n2\n3\n',
  change: Record<string, unknown> = {},
): Promise<TestDoors & { readonly claim1: string }> {
  const test = await openTestDoors();
  await test.putTemplate(change);
  await test.putManifest(manifest);
  return { ...test, claim1: await test.claim() };
}

/** With a common name, and attributes as DER. */
function csr(commonName: string, ...attributes: readonly Uint8Array[]): Buffer {
  return csrDer(makeCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }), commonName, attributes));
}

const ask = (body: Buffer, template?: string) => ({ csr: body, template, remoteAddress });
const reasonOf = (result: EstResult): string => ('refusal' in result ? result.refusal.reason : result.outcome);
const certificateOf = (result: EstResult): X509Certificate =>
  'certificatePem' in result ? new X509Certificate(result.certificatePem) : expect.fail(reasonOf(result));

describe('simpleenroll', () => {
  it('takes the serial number from the subject, and of the subject nothing else into the certificate', async () => {
    await using test = await open(undefined, {
      parameters: { ...GREENHOUSE.parameters, CommonName: {} },
      device: { ...GREENHOUSE.device, name: '${parameters.CommonName}' },
    });
    const issued = certificateOf(await test.est.enrolByClaim(ask(csr('1'), TEMPLATE), test.claim1));
    expect([issued.subject, issued.ca]).toEqual(['CN=gh-1', false]);
    expect(await test.pki.database.selectFrom('device').select('name').where('id', '=', 'gh-1').execute()).toEqual([
      { name: '1' },
    ]);
    expect(await test.lastTrace()).toBe('claim batch march · device gh-1 · CSR accepted, P-256 · serial in manifest · enrolled');
    expect(await test.provisioning.batches.get('march')).toMatchObject({ enrolled: 1 });
  });

  it('with a token works the same, and an unknown token is nobody', async () => {
    await using test = await open();
    expect(certificateOf(await test.est.enrolByToken(ask(csr('2')), await test.newToken())).subject).toBe('CN=gh-2');
    expect(await test.est.enrolByToken(ask(csr('3')), 'guess')).toEqual({ outcome: 'unknown' });
  });

  it('proves its serial number by the challenge password, where the manifest asks for an HMAC', async () => {
    const proof = createHmac('sha256', 'factory secret').update('7').digest('hex');
    await using test = await open(`serial,hmac\n7,${proof}\n`);
    const password = (text: string): Buffer => sequence(objectId('1.2.840.113549.1.9.7'), der(TAG.set, utf8String(text)));
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('7')), test.claim1))).toBe('manifest-mismatch');
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('7', password('guess'))), test.claim1))).toBe('manifest-mismatch');
    expect(certificateOf(await test.est.enrolByClaim(ask(csr('7', password(proof))), test.claim1)).subject).toBe('CN=gh-7');
  });

  it('is refused by a claim that is stopped, exhausted, too fast or for another template, and by what is no claim', async () => {
    await using test = await open();
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('1'), 'other'), test.claim1))).toBe('template-unknown');
    const few = await test.claim({ name: 'few', maxCount: 1 });
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('1')), few))).toBe('issued');
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('2')), few))).toBe('batch-exhausted');
    const slow = await test.claim({ name: 'slow', ratePerMinute: 1 });
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('nobody')), slow))).toBe('not-in-manifest');
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('2')), slow))).toBe('rate-limited');
    await test.provisioning.batches.stop('march', { groups: ['/'] }, TEST_ACTOR);
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('2')), test.claim1))).toBe('batch-stopped');
    const device = await test.pki.issue('a1');
    expect(reasonOf(await test.est.enrolByClaim(ask(csr('2')), device))).toBe('credential-invalid');
  });

  it.each([
    ['no request at all', Buffer.from('nonsense')],
    ['a request that somebody else has signed', tampered()],
    ['no serial number', csr('\u0000')],
  ])('is refused for %s', async (_, body) => {
    await using test = await open();
    expect(['csr-invalid', 'parameters-invalid']).toContain(reasonOf(await test.est.enrolByClaim(ask(body), test.claim1)));
    expect(await test.lastTrace()).toMatch(/refused$/);
    expect(await test.devices()).toEqual([]);
  });
});

describe('simplereenroll', () => {
  async function enrolled(test: TestDoors & { readonly claim1: string }): Promise<Buffer> {
    return certificateOf(await test.est.enrolByClaim(ask(csr('1')), test.claim1)).raw;
  }

  it('gives the device another certificate, for a new key or the same, beside the one that it has', async () => {
    await using test = await open();
    const der = await enrolled(test);
    const renewed = certificateOf(await test.est.renew(ask(csr('gh-1'), TEMPLATE), der));
    expect(renewed.subject).toBe('CN=gh-1');
    expect((await test.pki.certificates.listOf('gh-1')).map(({ status }) => status)).toEqual(['active', 'active']);
    expect(await test.lastTrace()).toBe('device gh-1 · CSR accepted, P-256 · renewed');
    const [audited] = await test.pki.trail.list({ action: 'certificate.create', limit: 1 });
    expect(audited).toMatchObject({ actor: { kind: 'device', id: 'gh-1', remoteAddress }, group: '/acme/kiel' });
  });

  it('is for nobody else: another subject is refused', async () => {
    await using test = await open();
    const der = await enrolled(test);
    await test.pki.addDevice('gh-2', '/acme');
    for (const name of ['gh-2', 'GH-1', 'a1']) expect(reasonOf(await test.est.renew(ask(csr(name)), der))).toBe('csr-invalid');
    expect(await test.pki.certificates.listOf('gh-2')).toEqual([]);
  });

  it('takes the subject of a certificate of another authority as it stands there', async () => {
    await using test = await open();
    const vendor = newVendor(test.pki);
    await registerVendor(test.pki, vendor, TEMPLATE);
    const der = vendor.issue([['CN', '2']]);
    expect(await test.justInTime().register(der)).toBe(true);
    expect(certificateOf(await test.est.renew(ask(csr('2')), der)).subject).toBe('CN=gh-2');
  });

  it('is refused with a certificate that is revoked, expired, pending, a claim, or not known', async () => {
    await using test = await open();
    const der = await enrolled(test);
    const { certificates } = test.pki;
    const [mine] = await certificates.listOf('gh-1');
    const claim = new X509Certificate(await certificates.pem(test.claim1)).raw;
    const pending = await certificates.issueFromCsr({
      csr: newCsr(),
      commonName: 'gh-1',
      purpose: 'device',
      status: 'pending',
      actor: TEST_ACTOR,
    });
    const stranger = newVendor(test.pki).issue([['CN', 'gh-1']]);
    for (const shown of [claim, new X509Certificate(pending.certificatePem).raw, stranger])
      expect(reasonOf(await test.est.renew(ask(csr('gh-1')), shown))).toBe('credential-invalid');
    test.pki.clock.advance((mine?.notAfterMs ?? 0) - test.pki.clock.now());
    expect(reasonOf(await test.est.renew(ask(csr('gh-1')), der))).toBe('credential-invalid');
    test.pki.clock.step(-86_400_000);
    expect(reasonOf(await test.est.renew(ask(csr('gh-1')), der))).toBe('issued');
    await certificates.revoke(mine?.id ?? '', 'keyCompromise', TEST_ACTOR);
    expect(reasonOf(await test.est.renew(ask(csr('gh-1')), der))).toBe('credential-invalid');
  });

  it('of one device comes no faster than ten a minute', async () => {
    await using test = await open();
    const der = await enrolled(test);
    const reasons: string[] = [];
    for (let n = 0; n < 11; n++) reasons.push(reasonOf(await test.est.renew(ask(csr('gh-1')), der)));
    expect([new Set(reasons.slice(0, 10)), reasons[10]]).toEqual([new Set(['issued']), 'rate-limited']);
    // Those that nobody has used gave way.
    const active = (await test.pki.certificates.listOf('gh-1')).filter(({ status }) => status === 'active');
    expect(active).toHaveLength(2);
  });
});

/** Its subject was changed after it was signed. */
function tampered(): Buffer {
  const whole = Buffer.from(csr('1'));
  whole[whole.indexOf(Buffer.from([0x0c, 1, 0x31])) + 2] = 0x32;
  return whole;
}

it('a certificate that is revoked while its successor is signed gets none', async () => {
  await using test = await open();
  const der = certificateOf(await test.est.enrolByClaim(ask(csr('1')), test.claim1)).raw;
  const { certificates } = test.pki;
  const [mine] = await certificates.listOf('gh-1');
  const signing = certificates.sign.bind(certificates);
  certificates.sign = async (...args) => {
    const issued = await signing(...args);
    await certificates.revoke(mine?.id ?? '', 'keyCompromise', TEST_ACTOR);
    return issued;
  };
  expect(reasonOf(await test.est.renew(ask(csr('gh-1')), der))).toBe('credential-invalid');
  expect((await certificates.listOf('gh-1')).map(({ status }) => status)).toEqual(['revoked']);
});
