import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { ACTOR, DAY_MS, openTestCertificates, type TestCertificates } from './certificate-service.fixture.ts';
import { OpenSsl } from './openssl.fixture.ts';
import { SelsynError } from '../kernel/errors.ts';
import { type RevocationList, RevocationLists } from './revocation-lists.ts';
import { RevocationStatus } from './revocation-status.ts';
import { issuingAuthority } from './server-certificate.ts';

const openssl = new OpenSsl();
afterAll(() => openssl[Symbol.dispose]());

interface World {
  readonly test: TestCertificates;
  readonly authorityId: string;
  /** What openssl says of a certificate with the list of now. */
  verify(id: string): Promise<string>;
  /** What openssl says after it has asked. */
  ask(id: string, ...args: readonly string[]): Promise<string>;
}

async function open(): Promise<World> {
  const test = await openTestCertificates(Date.now());
  const authority = await issuingAuthority(test.signing);
  openssl.write('ca.pem', authority.certificatePem);
  const at = (): string => String(Math.floor(test.clock.now() / 1_000));
  return {
    test,
    authorityId: authority.id,
    async verify(id) {
      openssl.write('leaf.pem', await test.certificates.pem(id));
      openssl.write('list.crl', (await test.lists.get(authority.id)).der);
      openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-out', 'list.pem');
      return openssl.run('verify', '-attime', at(), '-crl_check', '-CAfile', 'ca.pem', '-CRLfile', 'list.pem', 'leaf.pem');
    },
    async ask(id, ...args) {
      openssl.write('leaf.pem', await test.certificates.pem(id));
      const question = ['-issuer', 'ca.pem', '-cert', 'leaf.pem'];
      openssl.run('ocsp', ...args, ...question, '-reqout', 'question.der');
      const answer = await test.status.answer(readFileSync(openssl.path('question.der')));
      openssl.write('answer.der', answer.der);
      const both = ['-reqin', 'question.der', '-respin', 'answer.der'];
      return openssl.run('ocsp', ...both, '-issuer', 'ca.pem', '-CAfile', 'ca.pem', '-resp_text');
    },
  };
}

test('openssl verifies a good certificate with the list, and refuses it right after its revocation', async () => {
  const { test, verify } = await open();
  await using _ = test;
  const id = await test.issue('a1');
  expect(await verify(id)).toMatch(/leaf\.pem: OK/);
  await test.certificates.revoke(id, 'keyCompromise', ACTOR);
  expect(await verify(id)).toMatch(/certificate revoked/);
  expect(openssl.run('crl', '-in', 'list.pem', '-noout', '-text')).toMatch(/Key Compromise/);
});

test('a list is made again only when something was revoked or a day has passed; its number grows', async () => {
  const { test, authorityId } = await open();
  await using _ = test;
  const { lists, clock } = test;
  const first = await lists.get(authorityId);
  expect(await lists.get(authorityId)).toBe(first);
  clock.advance(DAY_MS - 1);
  expect(await lists.get(authorityId)).toBe(first);
  clock.advance(1);
  const second = await lists.get(authorityId);
  expect(second.number).toBe(first.number + 1);
  expect(second.nextUpdateMs).toBeGreaterThan(clock.now() + DAY_MS);
  await test.certificates.revoke(await test.issue('a1'), 'unspecified', ACTOR);
  const [third, same] = await Promise.all([lists.get(authorityId), lists.get(authorityId)]);
  expect(third.number).toBe(second.number + 1);
  expect(same).toBe(third);
  await expect(lists.get('0'.repeat(64))).rejects.toMatchObject({ code: 'authority.not-found' });
});

test('a list that is being made while something is revoked is no answer to who asks after it', async () => {
  const { test, authorityId } = await open();
  await using _ = test;
  const id = await test.issue('a1');
  const asked = Promise.withResolvers<void>();
  const signed = Promise.withResolvers<void>();
  const lists = new RevocationLists({
    ...test,
    signing: {
      async makeCrl(request) {
        asked.resolve();
        await signed.promise;
        return await test.signing.makeCrl(request);
      },
    },
  });
  const early = lists.get(authorityId);
  await asked.promise;
  await test.certificates.revoke(id, 'unspecified', ACTOR);
  lists.changed([authorityId]);
  const late = lists.get(authorityId);
  signed.resolve();
  const serials = async (list: Promise<RevocationList>): Promise<string> => {
    openssl.write('list.crl', (await list).der);
    return openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-noout', '-text').toLowerCase();
  };
  const { serial } = await test.certificates.get(id);
  expect(await serials(early)).not.toContain(serial);
  expect(await serials(late)).toContain(serial);
});

test('many revocations are all on the list; those whose certificate has ended long ago are not', async () => {
  const { test, authorityId } = await open();
  await using _ = test;
  const nowMs = test.clock.now();
  const rows = Array.from({ length: 2_500 }, (_unused, index) => ({
    id: randomBytes(32).toString('hex'),
    purpose: 'device',
    status: 'revoked',
    authority_id: authorityId,
    serial: `40${index.toString(16).padStart(6, '0')}`,
    subject: 'CN=x',
    key_hash: 'x',
    key_kind: 'P-256',
    not_before_ms: nowMs - DAY_MS,
    not_after_ms: index < 10 ? nowMs - 30 * DAY_MS : nowMs + DAY_MS,
    created_at_ms: nowMs - DAY_MS,
    // Several pages begin in the middle of what was revoked at one time.
    revoked_at_ms: nowMs - 1_000 * Math.floor(index / 700),
    revocation_reason: 'unspecified',
    der: new Uint8Array(),
  }));
  for (let start = 0; start < rows.length; start += 500)
    await test.database
      .insertInto('certificate')
      .values(rows.slice(start, start + 500))
      .execute();
  openssl.write('list.crl', (await test.lists.get(authorityId)).der);
  const text = openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-noout', '-text');
  const serials = [...text.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial]) => serial!.toLowerCase());
  expect(serials.sort()).toEqual(
    rows
      .slice(10)
      .map(({ serial }) => serial)
      .sort(),
  );
});

test('openssl asks: good, revoked with its reason at once, unknown while pending; with a nonce and without', async () => {
  const { test, ask } = await open();
  await using _ = test;
  const id = await test.issue('a1');
  for (const args of [[], ['-no_nonce'], ['-no_nonce', '-sha256']]) {
    const said = await ask(id, ...args);
    expect(said).toMatch(/Response verify OK/);
    expect(said).toMatch(/Cert Status: good/);
  }
  await test.certificates.revoke(id, 'superseded', ACTOR);
  for (const args of [[], ['-no_nonce']])
    expect(await ask(id, ...args)).toMatch(
      /Cert Status: revoked[^]*Revocation Reason: superseded[^]*Response verify OK|Response verify OK[^]*Cert Status: revoked[^]*Revocation Reason: superseded/,
    );
  const options = { commonName: 'p', purpose: 'device', status: 'pending', actor: ACTOR } as const;
  const { certificateId } = await test.certificates.issueWithNewKey(options);
  expect(await ask(certificateId)).toMatch(/Cert Status: unknown/);
});

test('an answer without a nonce is given again for a while, one with a nonce is made anew', async () => {
  const { test } = await open();
  await using _ = test;
  const id = await test.issue('a1');
  openssl.write('leaf.pem', await test.certificates.pem(id));
  const ask = async (...args: readonly string[]) => {
    openssl.run('ocsp', ...args, '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-reqout', 'question.der');
    return await test.status.answer(readFileSync(openssl.path('question.der')));
  };
  const first = await ask('-no_nonce');
  expect(first.goodUntilMs).toBeGreaterThan(test.clock.now());
  expect(await ask('-no_nonce')).toBe(first);
  expect((await ask()).goodUntilMs).toBeUndefined();
  test.clock.advance((first.goodUntilMs ?? 0) - test.clock.now());
  expect(await ask('-no_nonce')).not.toBe(first);
});

test('what is no question, names nobody here, or cannot be answered now is answered so', async () => {
  const { test } = await open();
  await using _ = test;
  const said = async (status: RevocationStatus, question: Uint8Array): Promise<string> => {
    openssl.write('answer.der', (await status.answer(question)).der);
    return openssl.run('ocsp', '-respin', 'answer.der', '-text', '-noverify');
  };
  expect(await said(test.status, Buffer.from('nonsense'))).toMatch(/malformedrequest/i);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'other.key'];
  openssl.run('req', '-x509', ...key, '-subj', '/CN=other', '-out', 'other.pem');
  openssl.run('ocsp', '-no_nonce', '-issuer', 'other.pem', '-cert', 'other.pem', '-reqout', 'question.der');
  expect(await said(test.status, readFileSync(openssl.path('question.der')))).toMatch(/unauthorized/i);
  const { serialNumber } = new X509Certificate(readFileSync(openssl.path('ca.pem')));
  openssl.run('ocsp', '-issuer', 'ca.pem', '-serial', `0x${serialNumber}`, '-reqout', 'question.der');
  const busy = new RevocationStatus({
    ...test,
    signing: {
      authorities: async () => await test.signing.authorities(),
      answerOcsp: async () => {
        throw new SelsynError('signer.busy', 'full', { retryable: true });
      },
    },
  });
  expect(await said(busy, readFileSync(openssl.path('question.der')))).toMatch(/trylater/i);
});
