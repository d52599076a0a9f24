import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACTOR, DAY_MS, openTestCertificates, type TestCertificates } from './certificate-service.fixture.ts';
import { OpenSsl } from './openssl.fixture.ts';

const openssl = new OpenSsl();
beforeAll(() => {
  makeAuthority('factory');
  makeAuthority('stranger');
  makeAuthority('factory2');
});
afterAll(() => openssl[Symbol.dispose]());

/** `NAME.pem` and `NAME.key`, in force from now for ten days. */
function makeAuthority(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl.run('req', '-x509', ...key, '-subj', `/O=Factory/CN=${name}`, '-days', '10', '-out', `${name}.pem`);
}

/** A certificate that an authority has signed, PEM. */
function signedBy(authority: string, commonName: string, ...args: readonly string[]): string {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'leaf.key'];
  openssl.run('req', ...key, '-new', '-subj', `/CN=${commonName}`, '-out', 'leaf.csr');
  const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  openssl.run('x509', '-req', '-in', 'leaf.csr', ...by, '-days', '5', '-out', 'leaf.pem', ...args);
  return readFileSync(openssl.path('leaf.pem'), 'utf8');
}

const pemOf = (name: string): string => readFileSync(openssl.path(`${name}.pem`), 'utf8');
const derOf = (pem: string): Uint8Array => new X509Certificate(pem).raw;

async function open(): Promise<TestCertificates> {
  return await openTestCertificates(Date.now() + 60_000);
}

async function register(test: TestCertificates, name = 'factory', template?: string) {
  const { code } = await test.authorities.openRegistration();
  const request = { certificatePem: pemOf(name), proofPem: signedBy(name, code), template };
  return await test.authorities.register(request, ACTOR);
}

test('the authorities of this server are entered once', async () => {
  await using test = await open();
  await test.authorities.recordOwn();
  const [own, ...others] = await test.authorities.list();
  expect(others).toEqual([]);
  expect(own).toMatchObject({ kind: 'own', status: 'active', keyId: expect.stringMatching(/^[0-9a-f]{40}$/) });
});

test('an authority is registered by who holds its key, and is trusted from then on', async () => {
  await using test = await open();
  const before = await test.trust.trustedAuthorities();
  const registered = await register(test, 'factory', 'jitr');
  expect(registered).toMatchObject({ kind: 'registered', status: 'active', template: 'jitr', certificatePem: pemOf('factory') });
  expect(await test.trust.trustedAuthorities()).toEqual([...before, pemOf('factory')]);
  expect(test.trustChanges()).toBe(1);
  expect(await test.trail.list({ action: 'authority.register', limit: 9 })).toHaveLength(1);
  const leaf = derOf(signedBy('factory', 'unit-1'));
  expect(await test.trust.certificateAuthorityOf(leaf)).toMatchObject({ id: registered.id, template: 'jitr' });
});

test('a proof by another key, of another code, of a used or an old code, and the authority as its own proof are refused', async () => {
  await using test = await open();
  const { authorities } = test;
  const { code } = await authorities.openRegistration();
  const refusal = async (proofPem: string, certificatePem = pemOf('factory')): Promise<string> =>
    await authorities.register({ certificatePem, proofPem }, ACTOR).then(
      () => 'registered',
      (error: unknown) => (error as { code: string }).code,
    );
  expect(await refusal(signedBy('stranger', code))).toBe('certificate.no-possession');
  expect(await refusal(signedBy('factory', 'guess'))).toBe('certificate.no-possession');
  expect(await refusal(pemOf('factory'))).toBe('certificate.no-possession');
  expect(await refusal(signedBy('factory', code), signedBy('factory', 'leaf'))).toBe('certificate.invalid');
  expect(await refusal('nonsense')).toBe('certificate.invalid');
  const good = signedBy('factory', code);
  expect(await refusal(good)).toBe('registered');
  expect(await refusal(good)).toBe('certificate.no-possession');
  const { code: again } = await authorities.openRegistration();
  expect(await refusal(signedBy('factory', again))).toBe('authority.exists');
  const { code: late } = await authorities.openRegistration();
  const lateProof = signedBy('stranger', late);
  test.clock.advance(7 * DAY_MS);
  expect(await refusal(lateProof, pemOf('stranger'))).toBe('certificate.no-possession');
  expect((await authorities.list()).filter(({ kind }) => kind === 'registered')).toHaveLength(1);
});

test('one code registers one authority, also when two come at the same time', async () => {
  await using test = await open();
  const { code } = await test.authorities.openRegistration();
  const results = await Promise.allSettled(
    ['factory', 'stranger'].map(async (name) => {
      const request = { certificatePem: pemOf(name), proofPem: signedBy(name, code) };
      return await test.authorities.register(request, ACTOR);
    }),
  );
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a template that is not there is refused before anything else', async () => {
  await using test = await open();
  await expect(register(test, 'factory', 'nonsense')).rejects.toMatchObject({ code: 'request.invalid' });
});

test('who has signed a shown certificate is proved by its signature, not by its names', async () => {
  await using test = await open();
  const { id } = await register(test);
  const { trust, authorities } = test;
  expect(await trust.certificateAuthorityOf(derOf(signedBy('stranger', 'unit-1')))).toBeUndefined();
  expect(await trust.certificateAuthorityOf(Buffer.from('no certificate'))).toBeUndefined();
  // One that names the factory as its issuer, by name and by key, and is signed by somebody else.
  const leaf = Buffer.from(derOf(signedBy('factory', 'unit-1')));
  expect(await trust.certificateAuthorityOf(leaf)).toMatchObject({ id });
  leaf[leaf.length - 1]! ^= 1;
  expect(await trust.certificateAuthorityOf(leaf)).toBeUndefined();
  const own = (
    await test.certificates.issueWithNewKey({
      commonName: 'a1',
      purpose: 'device',
      deviceId: 'a1',
      status: 'active',
      actor: ACTOR,
    })
  ).certificatePem;
  expect(await trust.certificateAuthorityOf(derOf(own))).toBeUndefined();
  const good = derOf(signedBy('factory', 'unit-1'));
  await authorities.update(id, { status: 'inactive' }, ACTOR);
  expect(await trust.certificateAuthorityOf(good)).toBeUndefined();
  expect(await trust.trustedAuthorities()).not.toContain(pemOf('factory'));
  await authorities.update(id, { status: 'active' }, ACTOR);
  expect(await trust.certificateAuthorityOf(good)).toMatchObject({ id });
  test.clock.advance(10 * DAY_MS);
  expect(await trust.certificateAuthorityOf(good)).toBeUndefined();
});

test('an authority is found by its name where certificates do not name its key', async () => {
  await using test = await open();
  const { id } = await register(test, 'factory2');
  openssl.write('none.cnf', 'authorityKeyIdentifier=none\n');
  const leaf = signedBy('factory2', 'unit-1', '-extfile', 'none.cnf');
  expect(await test.trust.certificateAuthorityOf(derOf(leaf))).toMatchObject({ id });
});

test('a revoked authority registers nobody any more, for good; its certificates go with it only where that is asked', async () => {
  await using test = await open();
  const { id } = await register(test);
  const description = await test.signing.describeCertificate(signedBy('factory', 'a1'));
  const options = { purpose: 'device', status: 'active', deviceId: 'a1', actor: ACTOR } as const;
  await test.certificates.keep({ ...description, authorityId: id }, options);
  const other = await test.issue('b1');
  expect(await test.authorities.revoke(id, { withCertificates: false }, ACTOR)).toBe(0);
  expect(await test.authorities.get(id)).toMatchObject({ status: 'revoked', revokedAtMs: test.clock.now() });
  expect(await test.trust.certificateAuthorityOf(derOf(signedBy('factory', 'unit-9')))).toBeUndefined();
  await expect(test.authorities.update(id, { status: 'active' }, ACTOR)).rejects.toMatchObject({
    code: 'authority.not-changeable',
  });
  expect(await test.certificates.get(description.id)).toMatchObject({ status: 'active' });
  expect(await test.authorities.revoke(id, { withCertificates: true }, ACTOR)).toBe(1);
  expect(await test.certificates.get(description.id)).toMatchObject({ status: 'revoked', revocationReason: 'cACompromise' });
  expect(await test.certificates.get(other)).toMatchObject({ status: 'active' });
  expect(test.changed).toEqual([['a1']]);
});

test('the authorities of this server are changed by nobody here', async () => {
  await using test = await open();
  const [own] = await test.authorities.list();
  const denied = { code: 'authority.not-changeable' };
  await expect(test.authorities.update(own!.id, { status: 'inactive' }, ACTOR)).rejects.toMatchObject(denied);
  await expect(test.authorities.revoke(own!.id, { withCertificates: true }, ACTOR)).rejects.toMatchObject(denied);
});
