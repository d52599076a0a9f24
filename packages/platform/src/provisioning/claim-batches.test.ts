import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EVERYTHING } from '../registry/scope.ts';
import { makeCsr } from './csr.fixture.ts';
import { BATCH, DENIED, openWithUnit, TEMPLATE, TEST_ACTOR, TestUnit, type TestUnitOpen } from './provisioning.fixture.ts';

describe('a claim batch', () => {
  it('that is stopped lets nobody in from then on, also who has a token already, and cuts who is connected', async () => {
    await using test = await openWithUnit();
    const { body } = await test.unit.createFromCsr();
    await test.provisioning.batches.stop(BATCH, EVERYTHING, TEST_ACTOR);
    expect(test.pki.changed).toEqual([[expect.stringMatching(/^claim\//)]]);
    for (const answer of [
      await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' }),
      await test.unit.createFromCsr(),
    ])
      expect(answer).toMatchObject({ accepted: false, body: { statusCode: 403, errorCode: 'AccessDenied' } });
    expect(await test.lastTrace()).toContain('claim batch march is stopped · refused');
    await expect(test.claim()).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('that is stopped goes with its template, and its certificates do not come back with one of the same name', async () => {
    await using test = await openWithUnit();
    await expect(test.provisioning.templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR)).rejects.toMatchObject({
      code: 'template.in-use',
    });
    const active = await test.pki.certificates.list({ purpose: 'claim', limit: 10 });
    await test.provisioning.batches.stop(BATCH, EVERYTHING, TEST_ACTOR);
    await test.provisioning.templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR);
    await test.putTemplate({ manifestRequired: false });
    await test.claim();
    expect(await test.unit.enrol('1')).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    expect(active.items.map(({ status }) => status)).toEqual(['active']);
    // One that was signed while the batch was stopped keeps the name taken.
    await test.provisioning.batches.stop(BATCH, EVERYTHING, TEST_ACTOR);
    await test.provisioning.templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR);
    await test.pki.certificates.issueWithNewKey({
      commonName: BATCH,
      purpose: 'claim',
      status: 'active',
      claimBatch: BATCH,
      actor: TEST_ACTOR,
    });
    await test.putTemplate();
    await expect(test.claim()).rejects.toMatchObject({ code: 'claim-batch.exists' });
  });

  it('that is stopped while an enrolment is under way lets it in no more: nothing of it stays', async () => {
    const stop: { now: () => Promise<void> } = { now: async () => undefined };
    await using test = await openWithUnit(undefined, {
      ask: async () => {
        await stop.now();
        return {};
      },
    });
    await test.putTemplate({ hook: { url: 'http://127.0.0.1:1/' } });
    const { body } = await test.unit.createFromCsr();
    stop.now = async () => void (await test.provisioning.batches.stop(BATCH, EVERYTHING, TEST_ACTOR));
    const answer = await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' });
    expect(answer).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    expect(await test.lastTrace()).toMatch(/hook allowed · claim batch march is stopped · refused$/);
    expect(await test.devices()).toEqual([]);
    expect(await test.pki.certificates.get(body.certificateId ?? '')).toMatchObject({ status: 'pending' });
    const entry = await test.provisioning.manifest.list(TEMPLATE, { limit: 1 }, EVERYTHING);
    expect(entry[0]?.usedAtMs).toBeUndefined();
  });

  it('lets in as many as it says, also when they come at once', async () => {
    await using test = await openWithUnit();
    const unit = new TestUnit(test.provisioning, { certificateId: await test.claim({ name: 'two', maxCount: 2 }) });
    const answers = await Promise.all(['1', '2', '3'].map(async (serial) => await unit.enrol(serial)));
    expect(answers.filter(({ accepted }) => accepted)).toHaveLength(2);
    expect(await test.devices()).toHaveLength(2);
    expect(await unit.createFromCsr()).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    expect(await test.lastTrace()).toContain('claim batch two has enrolled all its 2 devices');
  });

  it('ends when it says, and so do its certificates', async () => {
    await using test = await openWithUnit();
    const expiresAtMs = test.pki.clock.now() + 3_600_000;
    const id = await test.claim({ name: 'short', expiresAtMs });
    expect((await test.pki.certificates.get(id)).notAfterMs).toBeLessThanOrEqual(expiresAtMs);
    test.pki.clock.advance(3_600_001);
    const unit = new TestUnit(test.provisioning, { certificateId: id });
    expect(await unit.createFromCsr()).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    await expect(test.claim({ name: 'short' })).rejects.toMatchObject({ code: 'request.invalid' });
  });

  it('is no faster than it says', async () => {
    await using test = await openWithUnit();
    const unit = new TestUnit(test.provisioning, { certificateId: await test.claim({ name: 'slow', ratePerMinute: 3 }) });
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) codes.push((await unit.createFromCsr()).body.statusCode);
    expect(codes).toEqual([undefined, undefined, undefined, 429, 429]);
    test.pki.clock.advance(20_000);
    expect((await unit.createFromCsr()).accepted).toBe(true);
    expect((await unit.createFromCsr()).body.statusCode).toBe(429);
  });

  it('is not used up by one client that asks without end', async () => {
    await using test = await openWithUnit();
    const certificateId = await test.claim({ name: 'slow', ratePerMinute: 120 });
    const [flooding, other] = ['flooding', 'other'].map(
      (clientId) => new TestUnit(test.provisioning, { certificateId, clientId }),
    );
    const answers: boolean[] = [];
    for (let second = 0; second < 12; second++) {
      for (let i = 0; i < (second === 0 ? 12 : 3); i++) await flooding!.createFromCsr();
      answers.push((await other!.createFromCsr()).accepted);
      test.pki.clock.advance(1_000);
    }
    expect(answers).toEqual([false, ...Array.from({ length: 11 }, () => true)]);
    expect(await test.lastTrace()).toBe('client flooding of claim batch slow comes too fast · refused');
  });

  it('whose certificate is revoked lets nobody in with it', async () => {
    await using test = await openWithUnit();
    const id = await test.claim();
    await test.pki.certificates.revoke(id, 'keyCompromise', TEST_ACTOR);
    const unit = new TestUnit(test.provisioning, { certificateId: id });
    expect(await unit.createFromCsr()).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    expect((await test.unit.createFromCsr()).accepted).toBe(true);
  });
});

describe('a device', () => {
  it('gets another certificate for itself, and its old one is good until the new one is used', async () => {
    await using test = await openWithUnit();
    const first = await test.unit.createFromCsr();
    await test.unit.provision(first.body.certificateOwnershipToken, { SerialNumber: '1' });
    const device = new TestUnit(test.provisioning, { certificateId: first.body.certificateId!, deviceId: 'gh-1' });
    expect(await device.enrol('1')).toMatchObject({ accepted: true, body: { thingName: 'gh-1' } });
    const certificates = await test.pki.certificates.listOf('gh-1');
    expect(certificates.map(({ status }) => status)).toEqual(['active', 'active']);
    expect(await test.lastTrace()).toBe('device gh-1 · CSR accepted, P-256 · device gh-1 · it is this device already · renewed');
    expect(await test.provisioning.batches.get(BATCH)).toMatchObject({ enrolled: 1 });
  });

  it('never becomes another device, whether that one is in the manifest or there already', async () => {
    await using test = await openWithUnit();
    const first = await test.unit.createFromCsr();
    await test.unit.provision(first.body.certificateOwnershipToken, { SerialNumber: '1' });
    await test.unit.enrol('2');
    const device = new TestUnit(test.provisioning, { certificateId: first.body.certificateId!, deviceId: 'gh-1' });
    for (const serial of ['2', '3']) expect(await device.enrol(serial)).toEqual({ accepted: false, body: DENIED });
    expect(await test.devices()).toEqual(['gh-1', 'gh-2']);
    expect(await test.pki.certificates.listOf('gh-2')).toHaveLength(1);
    expect(await test.pki.certificates.listOf('gh-1')).toHaveLength(1);
  });

  it('gets no configuration of a template whose devices stand elsewhere', async () => {
    await using test = await openWithUnit();
    await test.provisioning.templates.put(
      {
        name: 'b',
        enabled: true,
        parameters: { SerialNumber: {} },
        device: { id: '${parameters.SerialNumber}', group: '/other' },
        configuration: { secret: 1 },
      },
      EVERYTHING,
      TEST_ACTOR,
    );
    const device = new TestUnit(test.provisioning, { certificateId: await test.pki.issue('a1'), deviceId: 'a1' });
    const { body } = await device.createFromCsr();
    expect(await device.provision(body.certificateOwnershipToken, { SerialNumber: 'a1' }, 'b')).toEqual({
      accepted: false,
      body: DENIED,
    });
  });
});

describe('a manifest entry', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyHash = createHash('sha256')
    .update(keys.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  const hmac = createHmac('sha256', 'of the factory').update('2').digest('hex');

  it('with the hash of a key is for that key', async () => {
    await using test = await openWithUnit(`serial,keyHash\n1,${keyHash}\n`);
    expect(await test.unit.enrol('1')).toEqual({ accepted: false, body: DENIED });
    expect(await test.lastTrace()).toContain('serial is in the manifest with another public key');
    const { body } = await test.unit.createFromCsr(makeCsr(keys, 'x'));
    expect((await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).accepted).toBe(true);
  });

  it('with an HMAC is for who shows it, and the database does not know it', async () => {
    await using test = await openWithUnit(`serial,hmac\n2,${hmac.toUpperCase()}\n`);
    expect(await test.unit.enrol('2')).toEqual({ accepted: false, body: DENIED });
    expect(await test.unit.enrol('2', { Hmac: '0'.repeat(64) })).toEqual({ accepted: false, body: DENIED });
    expect((await test.unit.enrol('2', { Hmac: hmac })).accepted).toBe(true);
    for (const table of ['manifest_entry', 'enrolment_attempt', 'audit_entry'] as const)
      expect(JSON.stringify(await test.pki.database.selectFrom(table).selectAll().execute()).toLowerCase()).not.toContain(hmac);
  });

  it('with a batch is for that batch', async () => {
    await using test = await openWithUnit('serial,batch\n1,april\n2,march\n');
    expect(await test.unit.enrol('1')).toEqual({ accepted: false, body: DENIED });
    expect((await test.unit.enrol('2')).accepted).toBe(true);
    const april = new TestUnit(test.provisioning, { certificateId: await test.claim({ name: 'april' }) });
    expect((await april.enrol('1')).accepted).toBe(true);
  });
});

describe('a serial that enrols again', () => {
  async function enrolled(): Promise<TestUnitOpen> {
    const test = await openWithUnit();
    await test.unit.enrol('1');
    await test.unit.enrol('1');
    return test;
  }

  it('waits in quarantine, once, with how often it came', async () => {
    await using test = await enrolled();
    await test.unit.enrol('1');
    const list = await test.provisioning.quarantine.list({ scope: EVERYTHING, limit: 10, offset: 0 });
    expect(list).toMatchObject([
      {
        template: TEMPLATE,
        serial: '1',
        deviceId: 'gh-1',
        state: 'waiting',
        attempts: 2,
        claimBatch: BATCH,
        group: '/acme/kiel',
      },
    ]);
    expect(await test.provisioning.quarantine.list({ scope: { groups: ['/other'] }, limit: 10, offset: 0 })).toEqual([]);
    expect(await test.pki.trail.list({ limit: 10, action: 'device.quarantine' })).toHaveLength(1);
  });

  it('that is released enrols once more, and what the device had before is revoked', async () => {
    await using test = await enrolled();
    await test.provisioning.quarantine.resolve({ template: TEMPLATE, serial: '1', decision: 'release' }, EVERYTHING, TEST_ACTOR);
    test.pki.clock.advance(1);
    expect((await test.unit.enrol('1')).accepted).toBe(true);
    expect((await test.pki.certificates.listOf('gh-1')).map(({ status }) => status)).toEqual(['active', 'revoked']);
    expect(test.changed).toContain('gh-1');
    expect(await test.unit.enrol('1')).toEqual({ accepted: false, body: DENIED });
    expect(await test.provisioning.quarantine.list({ scope: EVERYTHING, limit: 10, offset: 0 })).toMatchObject([
      { state: 'waiting' },
    ]);
  });

  it('that is refused stays out, without waiting again', async () => {
    await using test = await enrolled();
    await test.provisioning.quarantine.resolve({ template: TEMPLATE, serial: '1', decision: 'refuse' }, EVERYTHING, TEST_ACTOR);
    expect(await test.unit.enrol('1')).toEqual({ accepted: false, body: DENIED });
    expect(await test.provisioning.quarantine.list({ scope: EVERYTHING, limit: 10, offset: 0 })).toMatchObject([
      { state: 'refused' },
    ]);
    expect(await test.pki.certificates.listOf('gh-1')).toMatchObject([{ status: 'active' }]);
  });

  it('can be decided about only by who sees its group', async () => {
    await using test = await enrolled();
    const decide = test.provisioning.quarantine.resolve(
      { template: TEMPLATE, serial: '1', decision: 'release' },
      { groups: ['/acme/oslo'] },
      TEST_ACTOR,
    );
    await expect(decide).rejects.toMatchObject({ code: 'quarantine.not-found' });
  });
});
