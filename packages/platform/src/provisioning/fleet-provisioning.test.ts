import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { der, objectId, octetString, sequence, TAG } from '../pki/der-writer.ts';
import { derOfPem } from '../pki/pem.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { makeCsr } from './csr.fixture.ts';
import { OWNERSHIP_LIFE_MS } from './ownership-tokens.ts';
import { BATCH, DENIED, newCsr, openWithUnit, TEST_ACTOR, TestUnit } from './provisioning.fixture.ts';

describe('a unit with a claim certificate', () => {
  it.each(['json', 'cbor'] as const)(
    'enrols by CSR, in %s: gets its certificate, its name and its configuration',
    async (format) => {
      await using test = await openWithUnit();
      const unit = new TestUnit(test.provisioning, { certificateId: await test.claim() }, format);
      const created = await unit.createFromCsr();
      expect(created.accepted).toBe(true);
      expect(Object.keys(created.body).sort()).toEqual(['certificateId', 'certificateOwnershipToken', 'certificatePem']);
      const certificate = new X509Certificate(created.body.certificatePem ?? '');
      expect(created.body.certificateId).toBe(createHash('sha256').update(certificate.raw).digest('hex'));
      const id = created.body.certificateId ?? '';
      expect(await test.pki.certificates.get(id)).toMatchObject({ status: 'pending', purpose: 'device' });
      expect(await test.devices()).toEqual([]);

      const provisioned = await unit.provision(created.body.certificateOwnershipToken, { SerialNumber: '1', Site: 'oslo' });
      expect(provisioned).toEqual({
        accepted: true,
        body: { thingName: 'gh-1', deviceConfiguration: { intervalSec: 60, site: 'oslo' } },
      });
      expect(await test.pki.certificates.get(id)).toMatchObject({ status: 'active', deviceId: 'gh-1' });
      expect(await test.pki.devices.get(parseDeviceId('gh-1'))).toMatchObject({
        name: 'Sensor 1',
        group: '/acme/oslo',
        tags: ['greenhouse'],
        attributes: { site: 'oslo' },
      });
      expect(await test.lastTrace()).toBe(
        'claim batch march · CSR accepted, P-256 · device gh-1 · serial in manifest · enrolled',
      );
      expect(await test.provisioning.batches.get(BATCH)).toMatchObject({ enrolled: 1 });
      const [audit] = await test.pki.trail.list({ limit: 1, action: 'device.enrol' });
      expect(audit).toMatchObject({ group: '/acme/oslo', actor: { name: 'claim batch march', remoteAddress: '192.0.2.7' } });
    },
  );

  it.each(['json', 'cbor'] as const)('enrols with a key that is made here, in %s, also without a payload', async (format) => {
    await using test = await openWithUnit();
    const unit = new TestUnit(test.provisioning, { certificateId: await test.claim() }, format);
    const created = await unit.send('$aws/certificates/create', new Uint8Array());
    expect(Object.keys(created.body).sort()).toEqual([
      'certificateId',
      'certificateOwnershipToken',
      'certificatePem',
      'privateKey',
    ]);
    const certificate = new X509Certificate(created.body.certificatePem ?? '');
    expect(certificate.checkPrivateKey(createPrivateKey(created.body.privateKey ?? ''))).toBe(true);
    expect((await unit.provision(created.body.certificateOwnershipToken, { SerialNumber: '2' })).body.thingName).toBe('gh-2');
    const kept = JSON.stringify(await test.pki.database.selectFrom('certificate_ownership').selectAll().execute());
    expect(kept).not.toContain('PRIVATE');
    expect(kept).not.toContain(created.body.certificateOwnershipToken);
  });

  it('has the policies of the template attached to the device', async () => {
    await using test = await openWithUnit();
    await test.pki.database
      .insertInto('policy')
      .values({ name: 'greenhouse', description: '', document: '{"statements":[]}', created_at_ms: 0, updated_at_ms: 0 })
      .execute();
    await test.putTemplate({ policies: ['greenhouse'] });
    await test.unit.enrol('1');
    const attached = await test.pki.database
      .selectFrom('policy_attachment')
      .selectAll()
      .where('target_kind', '=', 'device')
      .execute();
    expect(attached).toEqual([{ policy_name: 'greenhouse', target_kind: 'device', target_id: 'gh-1' }]);
  });

  it('that stands in the registry already keeps what the operator gave it', async () => {
    await using test = await openWithUnit();
    await test.pki.devices.create({ id: parseDeviceId('gh-1'), name: 'Mine', group: '/acme/lab' }, TEST_ACTOR);
    expect((await test.unit.enrol('1')).accepted).toBe(true);
    expect(await test.pki.devices.get(parseDeviceId('gh-1'))).toMatchObject({ name: 'Mine', group: '/acme/lab', tags: [] });
  });

  it('is one of many at the same time: each serial enrols once, whoever is first', async () => {
    await using test = await openWithUnit(`serial\n${Array.from({ length: 100 }, (_, i) => `s${i}`).join('\n')}\n`);
    // Neighbours, so that they come into one transaction.
    const serials = Array.from({ length: 200 }, (_, i) => `s${i >> 1}`);
    const answers = await Promise.all(serials.map(async (serial) => await test.unit.enrol(serial)));
    expect(answers.filter(({ accepted }) => accepted)).toHaveLength(100);
    expect(await test.devices()).toHaveLength(100);
    expect(await test.provisioning.quarantine.list({ scope: EVERYTHING, limit: 1_000, offset: 0 })).toHaveLength(100);
    expect((await test.pki.certificates.list({ status: 'active', purpose: 'device', limit: 1_000 })).items).toHaveLength(100);
    expect(await test.provisioning.batches.get(BATCH)).toMatchObject({ enrolled: 100 });
    expect(
      await test.pki.database.selectFrom('manifest_entry').select('serial').where('used_at_ms', 'is', null).execute(),
    ).toEqual([]);
  });
});

describe('whoever stole a claim certificate', () => {
  it('gets nothing for a serial outside of the manifest, and hears no more than for a used one', async () => {
    await using test = await openWithUnit();
    await test.unit.enrol('1');
    const outside = await test.unit.enrol('4');
    expect(outside).toEqual({ accepted: false, body: DENIED });
    expect(await test.lastTrace()).toBe(
      'claim batch march · CSR accepted, P-256 · device gh-4 · serial not in manifest · refused',
    );
    const used = await test.unit.enrol('1');
    expect(used).toEqual(outside);
    expect(await test.lastTrace()).toContain('serial has enrolled before · quarantined');
    expect(await test.devices()).toEqual(['gh-1']);
    expect(await test.pki.certificates.listOf('gh-1')).toHaveLength(1);
  });

  it('gets no certificate authority and no other name out of a CSR that asks for them', async () => {
    await using test = await openWithUnit();
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const caTrue = sequence(
      objectId('2.5.29.19'),
      Buffer.from([0x01, 0x01, 0xff]),
      octetString(sequence(Buffer.from([0x01, 0x01, 0xff]))),
    );
    const request = sequence(objectId('1.2.840.113549.1.9.14'), der(TAG.set, sequence(caTrue)));
    const { body } = await test.unit.createFromCsr(makeCsr(keys, 'gh-2', [request]));
    const certificate = new X509Certificate(body.certificatePem ?? '');
    expect(certificate.ca).toBe(false);
    expect(certificate.subject).not.toContain('gh-2');
    expect((await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).body.thingName).toBe('gh-1');
  });

  it('cannot claim to be a device of another group of the tree that is registered there', async () => {
    await using test = await openWithUnit();
    await test.pki.devices.create({ id: parseDeviceId('gh-1'), group: '/other' }, TEST_ACTOR);
    expect(await test.unit.enrol('1')).toEqual({ accepted: false, body: DENIED });
    expect(await test.lastTrace()).toContain('outside of the template');
  });

  it('cannot take over a registered device that has a token', async () => {
    await using test = await openWithUnit();
    await test.putTemplate({ manifestRequired: false });
    await test.pki.devices.create({ id: parseDeviceId('gh-77'), group: '/acme' }, TEST_ACTOR);
    await test.pki.database
      .insertInto('device_token')
      .values({
        device_id: 'gh-77',
        token_hash: 'x',
        created_at_ms: 0,
        scram_salt: null,
        scram_iterations: null,
        scram_stored_key: null,
        scram_server_key: null,
      })
      .execute();
    expect(await test.unit.enrol('77')).toEqual({ accepted: false, body: DENIED });
    expect(await test.lastTrace()).toContain('the device has a credential already · quarantined');
  });

  it.each([
    ['a path in a parameter that is part of a group', { Site: '../../other' }],
    ['a parameter that is too long', { Site: 'x'.repeat(3_000) }],
    ['a parameter with a NUL', { Site: 'a\0b' }],
    ['a serial with a line break', { SerialNumber: '1\n' }],
    ['a serial that makes no device id', { SerialNumber: 'ä' }],
    ['no serial', { SerialNumber: '' }],
  ])('is refused %s', async (_, parameters) => {
    await using test = await openWithUnit('serial\n1\nä\n');
    const { body } = await test.unit.createFromCsr();
    const answer = await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1', ...parameters });
    expect(answer).toMatchObject({ accepted: false, body: { statusCode: 400 } });
    expect(await test.devices()).toEqual([]);
    // The token is good for one that is in order.
    expect((await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).accepted).toBe(true);
  });

  it('is not let into a template that is not that of the batch', async () => {
    await using test = await openWithUnit();
    await test.provisioning.templates.put(
      {
        name: 'other',
        enabled: true,
        parameters: { SerialNumber: {} },
        device: { id: '${parameters.SerialNumber}' },
        manifestRequired: false,
      },
      EVERYTHING,
      TEST_ACTOR,
    );
    const { body } = await test.unit.createFromCsr();
    const elsewhere = await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' }, 'other');
    const nowhere = await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' }, 'none');
    expect(elsewhere).toMatchObject({ accepted: false, body: { statusCode: 404 } });
    expect(nowhere).toEqual(elsewhere);
  });
});

describe('an ownership token', () => {
  const INVALID = {
    statusCode: 400,
    errorCode: 'InvalidCertificateOwnershipToken',
    errorMessage: 'The certificate ownership token is not valid.',
  };

  it('counts once: neither later nor at the same time a second time', async () => {
    await using test = await openWithUnit();
    const { body } = await test.unit.createFromCsr();
    const token = body.certificateOwnershipToken;
    const both = await Promise.all(['1', '2'].map(async (serial) => await test.unit.provision(token, { SerialNumber: serial })));
    expect(both.filter(({ accepted }) => accepted)).toHaveLength(1);
    expect(await test.devices()).toHaveLength(1);
    expect(await test.provisioning.batches.get(BATCH)).toMatchObject({ enrolled: 1 });
    expect(await test.unit.provision(token, { SerialNumber: '3' })).toEqual({ accepted: false, body: INVALID });
    expect(await test.lastTrace()).toContain('ownership token was used before');
  });

  it('counts for nobody but the claim that asked for it, not even for a device', async () => {
    await using test = await openWithUnit();
    const { body } = await test.unit.createFromCsr();
    const other = new TestUnit(test.provisioning, { certificateId: await test.claim() });
    const device = new TestUnit(test.provisioning, { certificateId: await test.pki.issue('a1'), deviceId: 'a1' });
    expect(await other.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).toEqual({
      accepted: false,
      body: INVALID,
    });
    expect(await test.lastTrace()).toContain('ownership token was given to another');
    expect(await device.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).toEqual({
      accepted: false,
      body: INVALID,
    });
    expect((await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).accepted).toBe(true);
  });

  it('counts for an hour; then it is forgotten, and what came of it is written down', async () => {
    await using test = await openWithUnit();
    const { body } = await test.unit.createFromCsr();
    test.pki.clock.advance(OWNERSHIP_LIFE_MS);
    expect(await test.unit.provision(body.certificateOwnershipToken, { SerialNumber: '1' })).toEqual({
      accepted: false,
      body: INVALID,
    });
    expect(await test.lastTrace()).toBe('claim batch march · ownership token has expired · refused');
    await test.provisioning.sweeper.sweep();
    expect(await test.pki.database.selectFrom('certificate_ownership').selectAll().execute()).toEqual([]);
    expect(await test.lastTrace()).toBe(
      'claim batch march · CSR accepted, P-256 · not provisioned within an hour · certificate deleted',
    );
  });

  it.each(['', 'x', 'A'.repeat(43), `${'A'.repeat(1_000)}`])('that nobody gave is none: %#', async (token) => {
    await using test = await openWithUnit();
    const answer = await test.unit.provision(token, { SerialNumber: '1' });
    expect(answer).toMatchObject({ accepted: false, body: { statusCode: 400 } });
  });
});

describe('a credential that is taken back while its holder is being let in', () => {
  /** Asks for a certificate and provisions itself; while the hook is asked, it is taken back with what it asked. */
  async function taken(who: 'claim' | 'certificate' | 'token' | 'another token') {
    let meanwhile = async (): Promise<void> => undefined;
    const hook = { ask: async () => (await meanwhile(), {}) };
    const test = await openWithUnit(undefined, hook);
    await test.putTemplate({
      hook: { url: 'http://127.0.0.1:1/' },
      manifestRequired: false,
      device: { id: '${parameters.SerialNumber}' },
    });
    const { database, certificates } = test.pki;
    const certificateId = who === 'claim' ? await test.claim() : who === 'certificate' ? await test.pki.issue('a1') : undefined;
    if (certificateId === undefined)
      await database
        .insertInto('device_token')
        .values({ device_id: 'a1', token_hash: 'x', created_at_ms: 1, ...NO_SCRAM })
        .execute();
    const unit = new TestUnit(test.provisioning, {
      ...(certificateId !== undefined && { certificateId }),
      ...(who !== 'claim' && { deviceId: 'a1' }),
      ...(certificateId === undefined && { tokenHash: 'x' }),
    });
    const { body } = await unit.createFromCsr();
    meanwhile = async () => {
      if (certificateId !== undefined) await certificates.revoke(certificateId, 'keyCompromise', TEST_ACTOR);
      else if (who === 'token') await database.deleteFrom('device_token').execute();
      else await database.updateTable('device_token').set({ token_hash: 'y' }).execute();
    };
    const answer = await unit.provision(body.certificateOwnershipToken, { SerialNumber: who === 'claim' ? '1' : 'a1' });
    return { test, answer, created: body.certificateId ?? '' };
  }

  it.each(['claim', 'certificate', 'token', 'another token'] as const)('gives no other: %s', async (who) => {
    const { test, answer, created } = await taken(who);
    await using _ = test;
    expect(answer).toMatchObject({ accepted: false, body: { statusCode: 403 } });
    expect(await test.pki.certificates.get(created)).toMatchObject({ status: 'pending' });
    expect(await test.lastTrace()).toMatch(/(revoked|taken back) meanwhile.* · refused$/);
  });
});

it('a name without a credential gets no certificate', async () => {
  await using test = await openWithUnit();
  const nobody = new TestUnit(test.provisioning, { deviceId: 'a1' });
  expect(await nobody.createFromCsr()).toMatchObject({ accepted: false, body: { statusCode: 403 } });
  expect(await test.lastTrace()).toBe('client shows neither a certificate nor a token · refused');
});

it('a template that is disabled lets nobody in', async () => {
  await using test = await openWithUnit();
  await test.putTemplate({ enabled: false });
  expect(await test.unit.enrol('1')).toMatchObject({ accepted: false, body: { statusCode: 403 } });
});

it('a certificate request is for the key that signs it: one that was cut from another is refused', async () => {
  await using test = await openWithUnit();
  const stolen = Buffer.from(derOfPem(newCsr(), ['CERTIFICATE REQUEST'], 10_000, (why) => new SelsynError('csr.invalid', why)));
  stolen[stolen.length - 1] = stolen.at(-1)! ^ 1;
  const answer = await test.unit.createFromCsr(
    `-----BEGIN CERTIFICATE REQUEST-----\n${stolen.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
  );
  expect(answer).toMatchObject({ accepted: false, body: { statusCode: 400, errorCode: 'InvalidCsr' } });
  expect(await test.lastTrace()).toMatch(/^claim batch march · .* · refused$/);
});

const NO_SCRAM = { scram_salt: null, scram_iterations: null, scram_stored_key: null, scram_server_key: null };
