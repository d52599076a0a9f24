import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashSecret } from '../kernel/secret.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { openTestDoors, type TestDoors } from './doors.fixture.ts';
import { newCsr, TEMPLATE, TEST_ACTOR } from './provisioning.fixture.ts';
import type { TokenRequest, TokenResult } from './token-enrolment.ts';

async function open(manifest = 'serial\n1\n2\n3\n'): Promise<TestDoors> {
  const test = await openTestDoors();
  await test.putTemplate();
  await test.putManifest(manifest);
  return test;
}

async function enrol(test: TestDoors, token: string, serial: string, more: Partial<TokenRequest> = {}): Promise<TokenResult> {
  return await test.tokenDoor.enrol({
    door: 'token',
    token,
    parameters: { SerialNumber: serial },
    credential: { kind: 'csr', csr: newCsr() },
    remoteAddress: '192.0.2.7',
    ...more,
  });
}

const reasonOf = (result: TokenResult): string => ('refusal' in result ? result.refusal.reason : result.outcome);

describe('a device with a provisioning token', () => {
  it('enrols by CSR, with a key that is made here, or gets a token to sign in with', async () => {
    await using test = await open();
    const token = await test.newToken({ maxCount: 3 });
    const byCsr = await enrol(test, token, '1');
    expect(byCsr).toMatchObject({
      outcome: 'enrolled',
      deviceId: 'gh-1',
      group: '/acme/kiel',
      configuration: { intervalSec: 60, site: 'kiel' },
    });
    const withKey = await enrol(test, token, '2', { credential: { kind: 'generate' } });
    if (!('deviceId' in withKey)) return expect.fail(reasonOf(withKey));
    expect(withKey.certificate?.privateKeyPem).toContain('PRIVATE KEY');
    expect(new X509Certificate(withKey.certificate?.certificatePem ?? '').subject).toBe('CN=gh-2');
    const withToken = await enrol(test, token, '3', { credential: { kind: 'token' } });
    if (!('deviceId' in withToken)) return expect.fail(reasonOf(withToken));
    const row = await test.pki.database
      .selectFrom('device_token')
      .selectAll()
      .where('device_id', '=', 'gh-3')
      .executeTakeFirstOrThrow();
    expect([row.token_hash, withToken.certificate]).toEqual([hashSecret(withToken.deviceToken ?? ''), undefined]);
    expect(await test.tokens.list({ scope: EVERYTHING, limit: 9 })).toMatchObject([{ enrolled: 3, maxCount: 3 }]);
    expect(await test.lastTrace()).toMatch(/^token [0-9a-f]{16} · device gh-3 · serial in manifest · enrolled$/);
  });

  it('is one of as many as the token is for, also when they come at the same time', async () => {
    await using test = await open();
    const token = await test.newToken({ maxCount: 1 });
    const results = await Promise.all(['1', '2', '3'].map(async (serial) => await enrol(test, token, serial)));
    expect(results.map(reasonOf).toSorted()).toEqual(['batch-exhausted', 'batch-exhausted', 'enrolled']);
    expect(await test.devices()).toHaveLength(1);
    expect(await test.pki.database.selectFrom('certificate').select('id').where('status', '=', 'active').execute()).toHaveLength(
      1,
    );
  });

  it('is refused when the token is expired, stopped, for another serial number or another template', async () => {
    await using test = await open();
    const nowMs = test.pki.clock.now();
    const [expiring, stopped, bound] = [
      await test.newToken({ expiresAtMs: nowMs + 1_000 }),
      await test.newToken({ batch: 'lost' }),
      await test.newToken({ serials: ['2'] }),
    ];
    test.pki.clock.advance(1_000);
    expect(await test.tokens.stopBatch(TEMPLATE, 'lost', EVERYTHING, TEST_ACTOR)).toBe(1);
    expect(reasonOf(await enrol(test, expiring, '1'))).toBe('batch-expired');
    expect(reasonOf(await enrol(test, stopped, '1'))).toBe('batch-stopped');
    expect(reasonOf(await enrol(test, bound, '1'))).toBe('manifest-mismatch');
    expect(await test.lastTrace()).toMatch(/token [0-9a-f]{16} is for another serial number · refused$/);
    expect(reasonOf(await enrol(test, bound, '2', { template: 'other' }))).toBe('template-unknown');
    expect(reasonOf(await enrol(test, bound, '2'))).toBe('enrolled');
  });

  it('gets nothing outside of the manifest, nor what an entry keeps for another batch, and spends nothing by trying', async () => {
    await using test = await open('serial,batch\n1,\n2,north\n');
    const token = await test.newToken({ batch: 'south' });
    expect(reasonOf(await enrol(test, token, '9'))).toBe('not-in-manifest');
    expect(reasonOf(await enrol(test, token, '2'))).toBe('manifest-mismatch');
    expect(reasonOf(await enrol(test, token, '1', { credential: { kind: 'csr', csr: 'nonsense' } }))).toBe('csr-invalid');
    expect(reasonOf(await enrol(test, token, '1', { parameters: {} }))).toBe('parameters-invalid');
    expect(reasonOf(await enrol(test, token, '1'))).toBe('enrolled');
    expect(reasonOf(await enrol(test, await test.newToken({ batch: 'north' }), '2'))).toBe('enrolled');
  });

  it('that enrols again comes into quarantine, and has lost its old token once it is released', async () => {
    await using test = await open();
    const token = await test.newToken({ maxCount: 5 });
    await enrol(test, token, '1', { credential: { kind: 'token' } });
    expect(reasonOf(await enrol(test, token, '1', { credential: { kind: 'token' } }))).toBe('quarantined');
    await test.provisioning.quarantine.resolve({ template: TEMPLATE, serial: '1', decision: 'release' }, EVERYTHING, TEST_ACTOR);
    const again = await enrol(test, token, '1', { credential: { kind: 'token' } });
    if (!('deviceId' in again)) return expect.fail(reasonOf(again));
    const rows = await test.pki.database
      .selectFrom('device_token')
      .select('token_hash')
      .where('device_id', '=', 'gh-1')
      .execute();
    expect(rows).toEqual([{ token_hash: hashSecret(again.deviceToken ?? '') }]);
    expect(test.changed).toContain('gh-1');
  });

  it('comes no faster than the token says', async () => {
    await using test = await open();
    const token = await test.newToken({ maxCount: 50, ratePerMinute: 12 });
    const results: string[] = [];
    for (let n = 0; n < 14; n++) results.push(reasonOf(await enrol(test, token, 'nobody')));
    expect([results.filter((reason) => reason === 'not-in-manifest').length, results.at(-1)]).toEqual([10, 'rate-limited']);
    test.pki.clock.advance(5_000);
    expect(reasonOf(await enrol(test, token, '1'))).toBe('enrolled');
  });
});

it('an unknown token is nobody, and is written down only so often', async () => {
  await using test = await open();
  for (let n = 0; n < 100; n++) expect(await enrol(test, `guess-${n}`, '1')).toEqual({ outcome: 'unknown' });
  expect(await enrol(test, '', '1')).toEqual({ outcome: 'unknown' });
  expect(await enrol(test, 'x'.repeat(100_000), '1')).toEqual({ outcome: 'unknown' });
  const noted = await test.provisioning.attempts.list({ scope: EVERYTHING, limit: 100 });
  expect([noted.length, noted[0]?.steps]).toEqual([10, ['token is not known', 'refused']]);
});
