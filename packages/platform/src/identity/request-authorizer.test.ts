import { expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { certificateIdOf } from '../pki/certificate-reading.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { PolicyStore } from './policies/policy-store.ts';
import { RequestAuthorizer } from './request-authorizer.ts';

const ACTOR = systemActor('test');
const DER = Buffer.from('stands for a certificate');
const ID = certificateIdOf(DER);

async function open() {
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  const clock = new FakeClock();
  const trail = new AuditTrail({ database, clock });
  const devices = new DeviceStore({ database, clock });
  await devices.create({ id: parseDeviceId('pump'), group: '/' });
  const used: string[] = [];
  const justInTime: string[] = [];
  const registerCertificate = async (more: object = {}): Promise<void> => {
    await database
      .insertInto('certificate')
      .values({ ...CERTIFICATE, ...more })
      .execute();
  };
  const authorizer = new RequestAuthorizer({
    database,
    clock,
    desk: {
      firstUsed: (id) => void used.push(id),
      registerJustInTime: async (der) => {
        justInTime.push(certificateIdOf(der));
        if (justInTime.length > 1) await registerCertificate();
        return justInTime.length > 1;
      },
    },
  });
  return {
    authorizer,
    database,
    clock,
    used,
    registerCertificate,
    policies: new PolicyStore({ database, clock, trail, onAccessChanged: () => undefined }),
    [Symbol.asyncDispose]: async () => await file[Symbol.asyncDispose](),
  };
}

const CERTIFICATE = {
  id: ID,
  device_id: 'pump',
  purpose: 'device',
  status: 'active',
  authority_id: 'a'.repeat(64),
  serial: '01',
  subject: 'CN=pump',
  key_hash: 'k',
  key_kind: 'P-256',
  not_before_ms: 0,
  not_after_ms: Number.MAX_SAFE_INTEGER,
  created_at_ms: 0,
  activated_at_ms: null,
  first_used_at_ms: null,
  revoked_at_ms: null,
  revocation_reason: null,
  claim_batch: null,
  der: DER,
};

test('a device may do by requests what its policies let it do by MQTT', async () => {
  await using test = await open();
  const found = await test.authorizer.byDevice('pump');
  if ('refused' in found) expect.fail(found.reason);
  expect(found.id).toBe('pump');
  expect([found.mayPublish('telemetry/pump'), found.mayPublish('telemetry/other')]).toEqual([true, false]);
  await test.policies.put(
    { name: 'p', description: '', document: { statements: [{ effect: 'deny', actions: ['publish'], topics: ['telemetry/#'] }] } },
    ACTOR,
  );
  await test.policies.attach('p', { kind: 'device', id: 'pump' }, ACTOR);
  const again = await test.authorizer.byDevice('pump');
  expect('refused' in again ? undefined : again.mayPublish('telemetry/pump')).toBe(false);
});

test('a device that is not there, or may not connect under its id, does not come', async () => {
  await using test = await open();
  expect(await test.authorizer.byDevice('nobody')).toMatchObject({ refused: 'unknown' });
  const document = { statements: [{ effect: 'deny', actions: ['connect'], clients: ['pump'] }] };
  await test.policies.put({ name: 'out', description: '', document }, ACTOR);
  await test.policies.attach('out', { kind: 'device', id: 'pump' }, ACTOR);
  expect(await test.authorizer.byDevice('pump')).toMatchObject({ refused: 'denied' });
});

test('it needs no client id of its own: other ids that its policies ask for are for MQTT', async () => {
  await using test = await open();
  await test.policies.detach('device-default', { kind: 'group', id: '/' }, ACTOR);
  const document = {
    statements: [
      { effect: 'allow', actions: ['connect'], clients: ['gateway-*'] },
      { effect: 'allow', actions: ['publish'], topics: ['by/${client.id}'] },
    ],
  };
  await test.policies.put({ name: 'gw', description: '', document }, ACTOR);
  await test.policies.attach('gw', { kind: 'device', id: 'pump' }, ACTOR);
  const found = await test.authorizer.byDevice('pump');
  expect('refused' in found ? undefined : [found.mayPublish('by/pump'), found.mayPublish('by/gateway-1')]).toEqual([true, false]);
});

test('a certificate that nobody knows is registered just in time, where its authority says so', async () => {
  await using test = await open();
  expect(await test.authorizer.byCertificate(DER)).toMatchObject({ refused: 'unknown' });
  expect(await test.authorizer.byCertificate(DER)).toMatchObject({ id: 'pump', credentialId: ID });
  expect(test.used).toEqual([ID]);
});

test.each([
  ['is revoked', { status: 'revoked' }],
  ['is pending', { status: 'pending' }],
  ['has expired', { not_after_ms: 1 }],
  ['is not valid yet', { not_before_ms: Number.MAX_SAFE_INTEGER }],
  ['is a claim', { purpose: 'claim', device_id: null }],
])('a certificate that %s lets nobody in', async (_, more) => {
  await using test = await open();
  await test.registerCertificate(more);
  test.clock.advance(1_000);
  expect(await test.authorizer.byCertificate(DER)).toMatchObject({ refused: 'unknown' });
  expect(test.used).toEqual([]);
});
