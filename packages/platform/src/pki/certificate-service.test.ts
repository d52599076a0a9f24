import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { ACTOR, DAY_MS, LIFETIME_MS, openTestCertificates, type TestCertificates } from './certificate-service.fixture.ts';
import { PENDING_LIFE_MS } from './certificate-store.ts';
import { CertificateSweeper, renewalTopic } from './certificate-sweeper.ts';

const device = (deviceId: string) => ({ commonName: deviceId, purpose: 'device', deviceId, actor: ACTOR }) as const;
const pending = { commonName: 'pending', purpose: 'device', status: 'pending', actor: ACTOR } as const;
const statesOf = async ({ certificates }: TestCertificates, ...ids: readonly string[]) =>
  await Promise.all(ids.map(async (id) => (await certificates.find(id))?.status ?? 'gone'));

test('an issued certificate is the registry’s entry of the bytes that were handed out, and is in the trail', async () => {
  await using test = await openTestCertificates();
  const { certificates, clock, trail } = test;
  const handed = await certificates.issueWithNewKey({ ...device('a1'), status: 'active' });
  const read = new X509Certificate(handed.certificatePem);
  expect(read.subject).toBe('CN=a1');
  expect(read.checkPrivateKey(createPrivateKey(handed.privateKeyPem))).toBe(true);
  const kept = await certificates.get(handed.certificateId);
  expect(kept).toMatchObject({
    id: read.fingerprint256.replaceAll(':', '').toLowerCase(),
    deviceId: 'a1',
    status: 'active',
    serial: read.serialNumber.toLowerCase(),
    createdAtMs: clock.now(),
    activatedAtMs: clock.now(),
  });
  expect(kept.notAfterMs).toBe(read.validToDate.getTime());
  expect(Math.abs(kept.notAfterMs - clock.now() - LIFETIME_MS)).toBeLessThan(1_000);
  expect(await certificates.pem(kept.id)).toBe(handed.certificatePem);
  const [entry] = await trail.list({ objectKind: 'certificate', limit: 10 });
  expect(entry).toMatchObject({
    action: 'certificate.create',
    group: '/acme',
    object: { id: kept.id },
    after: { serial: kept.serial },
  });
  expect(JSON.stringify(entry)).not.toContain('PRIVATE');
});

test('of many that are asked for at once one that is refused spoils no other, and all become entries', async () => {
  await using test = await openTestCertificates();
  const asked = Array.from({ length: 150 }, (_, index) => (index === 70 ? 'nobody' : 'a1'));
  const results = await Promise.allSettled(
    asked.map(async (id) => await test.certificates.issueWithNewKey({ ...device(id), status: 'pending' })),
  );
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(results[70]).toMatchObject({ reason: { code: 'device.not-found' } });
  expect(await test.certificates.listOf('a1')).toHaveLength(149);
  await expect(test.certificates.issueFromCsr({ ...pending, csr: 'no request' })).rejects.toMatchObject({ code: 'csr.invalid' });
});

test('a pending certificate becomes that of a device once, and of the right one', async () => {
  await using test = await openTestCertificates();
  const { certificates } = test;
  const { certificateId: id } = await certificates.issueWithNewKey(pending);
  await expect(certificates.activate(id, 'nobody', ACTOR)).rejects.toMatchObject({ code: 'device.not-found' });
  await certificates.activate(id, 'a1', ACTOR);
  await expect(certificates.activate(id, 'a1', ACTOR)).rejects.toMatchObject({ code: 'certificate.not-pending' });
  await expect(certificates.activate('0'.repeat(64), 'a1', ACTOR)).rejects.toMatchObject({ code: 'certificate.not-found' });
  const { certificateId: other } = await certificates.issueWithNewKey({ ...device('b1'), status: 'pending' });
  await expect(certificates.activate(other, 'a1', ACTOR)).rejects.toMatchObject({ code: 'certificate.not-pending' });
  const { certificateId: claim } = await certificates.issueWithNewKey({ ...pending, purpose: 'claim' });
  await expect(certificates.activate(claim, 'a1', ACTOR)).rejects.toMatchObject({ code: 'certificate.not-pending' });
});

test('an activation that is taken back with its transaction leaves the certificate as it was', async () => {
  await using test = await openTestCertificates();
  const { certificateId: id } = await test.certificates.issueWithNewKey(pending);
  const failing = test.database.transaction().execute(async (transaction) => {
    await test.certificates.activate(id, 'a1', ACTOR, transaction);
    throw new Error('taken back');
  });
  await expect(failing).rejects.toThrow('taken back');
  expect(await statesOf(test, id)).toEqual(['pending']);
});

test('rotation: both are good until the new one connects; then the old one is superseded and its connection cut', async () => {
  await using test = await openTestCertificates();
  const old = await test.issue('a1');
  await test.certificates.credentialUsed(old);
  test.clock.advance(DAY_MS);
  const young = await test.issue('a1');
  expect(await statesOf(test, old, young)).toEqual(['active', 'active']);
  await test.certificates.credentialUsed(old);
  expect(await statesOf(test, old, young)).toEqual(['active', 'active']);
  expect(test.changed).toEqual([]);
  await test.certificates.credentialUsed(young);
  expect(await statesOf(test, old, young)).toEqual(['revoked', 'active']);
  expect(await test.certificates.get(old)).toMatchObject({ revocationReason: 'superseded', revokedAtMs: test.clock.now() });
  expect(test.changed).toEqual([['a1']]);
});

test('rotation: a device that lost its new key asks again and again, and is never without a certificate', async () => {
  await using test = await openTestCertificates();
  const old = await test.issue('a1');
  await test.certificates.credentialUsed(old);
  let before: string | undefined;
  for (let attempt = 0; attempt < 4; attempt++) {
    test.clock.advance(1_000);
    const asked = await test.issue('a1');
    expect(await statesOf(test, old, asked)).toEqual(['active', 'active']);
    if (before !== undefined) expect(await test.certificates.get(before)).toMatchObject({ revocationReason: 'superseded' });
    before = asked;
  }
});

test('of several that become active in one batch a device keeps two', async () => {
  await using test = await openTestCertificates();
  await Promise.all(Array.from({ length: 5 }, async () => await test.issue('a1')));
  const states = (await test.certificates.listOf('a1')).map(({ status }) => status);
  expect(states.filter((status) => status === 'active')).toHaveLength(2);
  expect(states).toHaveLength(5);
});

test('a revocation is committed, then connections are cut; once revoked it stays as it is', async () => {
  await using test = await openTestCertificates();
  const id = await test.issue('a1');
  await test.certificates.revoke(id, 'keyCompromise', ACTOR);
  expect(test.changed).toEqual([['a1']]);
  test.clock.advance(5);
  expect(await test.certificates.revoke(id, 'unspecified', ACTOR)).toMatchObject({ revocationReason: 'keyCompromise' });
  expect(test.changed).toHaveLength(1);
  await expect(test.certificates.revoke('1'.repeat(64), 'unspecified', ACTOR)).rejects.toMatchObject({
    code: 'certificate.not-found',
  });
  const [entry] = await test.trail.list({ action: 'certificate.revoke', limit: 10 });
  expect(entry).toMatchObject({ before: { status: 'active' }, after: { status: 'revoked', revocationReason: 'keyCompromise' } });
});

test('a claim certificate that is revoked cuts whoever is connected with it', async () => {
  await using test = await openTestCertificates();
  const { certificateId: id } = await test.certificates.issueWithNewKey({ ...pending, purpose: 'claim', status: 'active' });
  await test.certificates.revoke(id, 'unspecified', ACTOR);
  expect(test.changed).toEqual([[`claim/${id.slice(0, 16)}`]]);
});

test('what a removed device had is revoked with it: nobody gets in as the next one of the same id', async () => {
  await using test = await openTestCertificates();
  const id = await test.issue('a1');
  await test.database.transaction().execute(async (transaction) => {
    await test.certificates.revokeOfDevices(['a1'], { actor: ACTOR }, transaction);
  });
  expect(await test.certificates.get(id)).toMatchObject({ status: 'revoked', revocationReason: 'cessationOfOperation' });
});

test('the list: newest first, in pages, by what it is asked for, and not beyond one’s own groups', async () => {
  await using test = await openTestCertificates();
  const { certificates } = test;
  const ids: string[] = [];
  for (let index = 0; index < 25; index++) {
    await test.addDevice(`d${index}`, index % 5 === 0 ? '/acme/x' : '/other');
    if (index % 3 === 0) test.clock.advance(1);
    ids.push(await test.issue(`d${index}`));
  }
  const paged = async (query: Partial<Parameters<typeof certificates.list>[0]>, limit: number): Promise<string[]> => {
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await certificates.list({ ...query, limit, cursor });
      found.push(...page.items.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return found;
  };
  const whole = (await certificates.list({ limit: 100 })).items;
  expect(whole.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(whole.map(({ createdAtMs }) => createdAtMs)).toEqual(whole.map(({ createdAtMs }) => createdAtMs).sort((a, b) => b - a));
  for (const limit of [1, 4, 25, 26]) expect(await paged({}, limit)).toEqual(whole.map(({ id }) => id));
  const own = ids.filter((_, index) => index % 5 === 0);
  const scope = { groups: ['/acme'] };
  expect((await paged({ scope }, 2)).sort()).toEqual([...own].sort());
  expect(await paged({ scope: { groups: [] } }, 2)).toEqual([]);
  const one = await certificates.get(ids[7]!);
  const upper = one.serial.toUpperCase().replace(/..(?!$)/g, '$&:');
  for (const query of [{ serial: upper }, { fingerprint: one.id.slice(0, 20) }, { deviceId: 'd7' }])
    expect(await paged(query, 10)).toEqual([one.id]);
  expect(await paged({ serial: 'no serial' }, 10)).toEqual([]);
  expect(await paged({ status: 'revoked' }, 10)).toEqual([]);
  await certificates.revoke(one.id, 'unspecified', ACTOR);
  expect(await paged({ status: 'revoked' }, 10)).toEqual([one.id]);
  await expect(certificates.list({ limit: 1, cursor: 'bogus' })).rejects.toMatchObject({ code: 'request.invalid' });
  expect(await certificates.find(own[0]!, scope)).toBeDefined();
  expect(await certificates.find(ids[1]!, scope)).toBeUndefined();
});

test('the list of a scope of many devices, of which few have certificates, is found by going on', async () => {
  await using test = await openTestCertificates();
  const drafts = Array.from({ length: 1_200 }, (_, index) => ({ id: parseDeviceId(`m${index}`), group: '/many' }));
  await test.devices.put(drafts, 'create', ACTOR);
  const first = await test.issue('m1');
  test.clock.advance(1);
  const { database } = test;
  const { der, ...row } = await database.selectFrom('certificate').selectAll().where('id', '=', first).executeTakeFirstOrThrow();
  const others = Array.from({ length: 21_000 }, (_, index) => ({
    ...row,
    id: createHash('sha256').update(String(index)).digest('hex'),
    device_id: 'b1',
    created_at_ms: test.clock.now(),
    der,
  }));
  for (let start = 0; start < others.length; start += 700)
    await database
      .insertInto('certificate')
      .values(others.slice(start, start + 700))
      .execute();
  test.clock.advance(1);
  const last = await test.issue('m2');
  const found: string[] = [];
  let pages = 0;
  let cursor: string | undefined;
  do {
    const page = await test.certificates.list({ scope: { groups: ['/many'] }, limit: 10, cursor });
    found.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
    pages++;
  } while (cursor !== undefined);
  expect(found).toEqual([last, first]);
  expect(pages).toBe(2);
  const expiring = { expiresBeforeMs: test.clock.now() + 2 * LIFETIME_MS, limit: 10 };
  expect((await test.certificates.list({ scope: { groups: ['/acme'] }, ...expiring })).items).toEqual([]);
});

test('the expiry report: active ones that end soon, the soonest first', async () => {
  await using test = await openTestCertificates();
  const now = test.clock.now();
  for (const id of ['d1', 'd2', 'd3', 'd4']) await test.addDevice(id);
  const late = await test.issue('d1', now + 29 * DAY_MS);
  const soon = await test.issue('d2', now + 2 * DAY_MS);
  await test.issue('d3', now + 31 * DAY_MS);
  const revoked = await test.issue('d4', now + DAY_MS);
  await test.certificates.revoke(revoked, 'unspecified', ACTOR);
  const query = { expiresBeforeMs: now + 30 * DAY_MS };
  const first = await test.certificates.list({ ...query, limit: 1 });
  const second = await test.certificates.list({ ...query, limit: 1, cursor: first.cursor });
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual([soon, late]);
  expect(second.cursor).toBeUndefined();
});

test('a pending certificate is deleted after an hour, an activated one is not', async () => {
  await using test = await openTestCertificates();
  const { certificateId: left } = await test.certificates.issueWithNewKey(pending);
  const { certificateId: used } = await test.certificates.issueWithNewKey(pending);
  await test.certificates.activate(used, 'a1', ACTOR);
  test.clock.advance(PENDING_LIFE_MS - 1);
  await test.sweeper.sweep();
  expect(await statesOf(test, left, used)).toEqual(['pending', 'active']);
  test.clock.advance(1);
  await test.sweeper.sweep();
  expect(await statesOf(test, left, used)).toEqual(['gone', 'active']);
  expect(await test.trail.list({ action: 'certificate.delete', limit: 10 })).toHaveLength(1);
});

test('a renewal is asked for at two thirds of the life, again each day, and not any more when the new one is there', async () => {
  await using test = await openTestCertificates();
  const { sweeper, published, clock } = test;
  const id = await test.issue('a1');
  const { notBeforeMs, notAfterMs } = await test.certificates.get(id);
  clock.advance(notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3 - clock.now() - 1_000);
  await sweeper.sweep();
  expect(published).toEqual([]);
  clock.advance(2_000);
  await sweeper.sweep();
  expect(published).toMatchObject([{ topic: renewalTopic('a1'), qos: 1, retain: true }]);
  expect(JSON.parse(Buffer.from(published[0]!.payload).toString())).toEqual({
    certificateId: id,
    notAfter: new Date(notAfterMs).toISOString(),
  });
  await sweeper.sweep();
  expect(published).toHaveLength(1);
  clock.advance(DAY_MS);
  await sweeper.sweep();
  expect(published).toHaveLength(2);
  const young = await test.issue('a1');
  clock.advance(DAY_MS);
  await sweeper.sweep();
  expect(published).toHaveLength(2);
  await test.certificates.credentialUsed(young);
  await sweeper.sweep();
  expect(published).toHaveLength(3);
  expect(published[2]).toMatchObject({ topic: renewalTopic('a1'), retain: true });
  expect(published[2]!.payload).toHaveLength(0);
});

test('what could not be published is due again', async () => {
  await using test = await openTestCertificates();
  await test.issue('a1');
  test.clock.advance(LIFETIME_MS - DAY_MS);
  const broken = new CertificateSweeper({
    database: test.database,
    clock: test.clock,
    logLines: silentLogLines,
    publish: async () => {
      throw new Error('no gateway');
    },
    onAccessChanged: async () => {},
  });
  await expect(broken.sweep()).rejects.toThrow('no gateway');
  await test.sweeper.sweep();
  expect(test.published).toHaveLength(1);
});

test('connections are cut when their certificate has ended, once', async () => {
  await using test = await openTestCertificates();
  await test.issue('a1', test.clock.now() + 90_000);
  test.sweeper.start();
  test.clock.advance(60_000);
  await test.sweeper.sweep();
  expect(test.changed).toEqual([]);
  test.clock.advance(31_000);
  await test.sweeper.sweep();
  expect(test.changed).toEqual([['a1']]);
  await test.sweeper.sweep();
  expect(test.changed).toHaveLength(1);
  test.sweeper[Symbol.dispose]();
});
