import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { AccessGranted, AccessRefused } from './access-decision.ts';
import { certificateIdOf } from '../pki/certificate-reading.ts';
import { DeviceAuthorizer } from './device-authorizer.ts';
import { DeviceTokens } from './device-tokens.ts';
import { PolicyStore } from './policies/policy-store.ts';

const DAY_MS = 86_400_000;
/** Its bytes count for nothing here: the handshake has proved whose they are. */
const DER = Buffer.from('the bytes of a certificate');
const ID = createHash('sha256').update(DER).digest('hex');

let file: OpenDatabase;
let clock: FakeClock;
let authorizer: DeviceAuthorizer;
let used: string[];
let arriving: ((der: Uint8Array) => Promise<boolean>) | undefined;

beforeEach(async () => {
  file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  clock = new FakeClock(100 * DAY_MS);
  used = [];
  arriving = undefined;
  const desk = {
    firstUsed: (id: string) => void used.push(id),
    registerJustInTime: async (der: Uint8Array) => (await arriving?.(der)) ?? false,
  };
  authorizer = new DeviceAuthorizer({ database: file.database, clock, random: randomBytes, scramKey: randomBytes(32), desk });
  await new DeviceStore({ database: file.database, clock }).create({ id: parseDeviceId('d1'), group: '/acme' });
});

afterEach(async () => await file[Symbol.asyncDispose]());

async function addCertificate(more: Record<string, unknown> = {}): Promise<void> {
  await file.database
    .insertInto('certificate')
    .values({
      id: ID,
      device_id: 'd1',
      purpose: 'device',
      status: 'active',
      authority_id: 'a'.repeat(64),
      serial: '01',
      subject: 'CN=d1',
      key_hash: 'k',
      key_kind: 'P-256',
      not_before_ms: 90 * DAY_MS,
      not_after_ms: 110 * DAY_MS,
      created_at_ms: 90 * DAY_MS,
      activated_at_ms: null,
      first_used_at_ms: null,
      revoked_at_ms: null,
      revocation_reason: null,
      claim_batch: null,
      der: DER,
      ...more,
    })
    .execute();
}

async function connect(
  more: { username?: string; password?: string; clientId?: string } = {},
): Promise<AccessGranted | AccessRefused> {
  const { username, password, clientId = 'c1' } = more;
  return await authorizer.authenticate({
    clientId,
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    certificate: { der: DER, verified: false },
  });
}

test('a device that shows its registered certificate is let in as itself, whatever the listener thinks of the chain', async () => {
  await addCertificate();
  const granted = await connect();
  expect(granted).toMatchObject({ id: 'd1', sessionNamespace: 'd1', credentialId: ID });
  expect('mayPublish' in granted && [granted.mayPublish('telemetry/d1'), granted.mayPublish('telemetry/d2')]).toEqual([
    true,
    false,
  ]);
  expect(used).toEqual([ID]);
  expect(certificateIdOf(DER)).toBe(ID);
});

test('the username of the AWS SDKs is taken, and that of another device is not', async () => {
  await addCertificate({ first_used_at_ms: 1 });
  expect(await connect({ username: '?SDK=IoTDeviceSDK/JS&Version=1' })).toHaveProperty('id', 'd1');
  expect(await connect({ username: 'd1?SDK=x' })).toHaveProperty('id', 'd1');
  expect(await connect({ username: 'd2' })).toMatchObject({ refused: 'bad-credentials', reason: /username is d2/ });
  expect(used).toEqual([]);
});

test('who has a password is judged by it alone', async () => {
  await addCertificate();
  const tokens = new DeviceTokens({ database: file.database, clock, random: randomBytes });
  const { token } = await tokens.enrol({ id: parseDeviceId('d2') });
  expect(await connect({ username: 'd2', password: token })).toMatchObject({ id: 'd2', credentialId: undefined });
  expect(await connect({ username: 'd2', password: 'wrong' })).toHaveProperty('refused', 'bad-credentials');
});

test.each([
  [{ status: 'pending' }, /is not active/],
  [{ status: 'revoked' }, /is revoked/],
  [{ not_after_ms: 100 * DAY_MS }, /has expired/],
  [{ not_before_ms: 100 * DAY_MS + 1 }, /not valid yet/],
  [{ device_id: 'gone' }, /not known/],
  [{ device_id: null }, /not known/],
])('a certificate with %j lets nobody in', async (row, reason) => {
  await addCertificate(row);
  expect(await connect()).toMatchObject({ refused: 'bad-credentials', reason: expect.stringMatching(reason) });
  expect(used).toEqual([]);
});

test('one that is not registered is refused, unless it is registered just in time', async () => {
  expect(await connect()).toMatchObject({ refused: 'bad-credentials', reason: /not registered/ });
  const shown: Uint8Array[] = [];
  arriving = async (der) => {
    shown.push(der);
    await addCertificate();
    return true;
  };
  expect(await connect()).toHaveProperty('id', 'd1');
  expect(await connect()).toHaveProperty('id', 'd1');
  expect(shown).toEqual([DER]);
});

test('a claim may ask for a certificate and do nothing else', async () => {
  await addCertificate({ purpose: 'claim', device_id: null, claim_batch: 'b1' });
  const claim = await connect();
  if ('refused' in claim) throw new Error(claim.reason);
  expect(claim.id).toBe(`claim/${ID.slice(0, 16)}`);
  expect(claim.maxSessionExpirySec).toBe(0);
  for (const topic of [
    '$aws/certificates/create/json',
    '$aws/certificates/create-from-csr/cbor',
    '$aws/provisioning-templates/t/provision/json',
  ])
    expect([topic, claim.mayPublish(topic), claim.mayRetain?.(topic)]).toEqual([topic, true, false]);
  for (const topic of [
    '$aws/certificates/create/json/accepted',
    '$aws/provisioning-templates/t/provision/json/accepted',
    '$aws/certificates/delete/json',
    'telemetry/d1',
    'devices/d1/x',
    '$aws/things/d1/shadow/update',
  ])
    expect([topic, claim.mayPublish(topic)]).toEqual([topic, false]);
  for (const filter of [
    '$aws/certificates/create/json/accepted',
    '$aws/certificates/create-from-csr/+/rejected',
    '$aws/provisioning-templates/+/provision/#',
  ])
    expect([filter, claim.maySubscribe(filter)]).toEqual([filter, true]);
  for (const filter of ['#', '+/#', '$aws/#', '$aws/certificates/#', 'telemetry/d1', '$share/g/$aws/certificates/create/#'])
    expect([filter, claim.maySubscribe(filter)]).toEqual([filter, false]);
  expect(await authorizer.renew(claim)).toHaveProperty('id', claim.id);
  await file.database.updateTable('certificate').set({ status: 'revoked' }).execute();
  expect(await authorizer.renew(claim)).toHaveProperty('refused');
});

test('a claim whose batch is stopped or has expired is let in no more, and put out where it is in', async () => {
  await addCertificate({ purpose: 'claim', device_id: null, claim_batch: 'b1' });
  const times = { created_at_ms: 0, updated_at_ms: 0 };
  await file.database
    .insertInto('provisioning_template')
    .values({ name: 't', definition: '{}', enabled: 1, group_path: '/', ...times })
    .execute();
  await file.database
    .insertInto('claim_batch')
    .values({
      name: 'b1',
      template: 't',
      max_count: 1,
      rate_per_minute: 1,
      expires_at_ms: clock.now() + 1000,
      enrolled: 0,
      created_at_ms: 0,
      stopped_at_ms: null,
    })
    .execute();
  const claim = await connect();
  if ('refused' in claim) throw new Error(claim.reason);
  await file.database.updateTable('claim_batch').set({ stopped_at_ms: clock.now() }).execute();
  expect(await connect()).toMatchObject({ refused: 'bad-credentials', reason: 'the claim batch b1 is stopped' });
  expect(await authorizer.renew(claim)).toHaveProperty('refused');
  await file.database.updateTable('claim_batch').set({ stopped_at_ms: null, expires_at_ms: clock.now() }).execute();
  expect(await connect()).toMatchObject({ reason: 'the claim batch b1 has expired' });
});

test('what has changed since a client was let in is found when it is asked anew', async () => {
  await addCertificate();
  const trail = new AuditTrail({ database: file.database, clock });
  const policies = new PolicyStore({ database: file.database, clock, trail, onAccessChanged: () => undefined });
  const actor = systemActor('test');
  const first = await connect();
  if ('refused' in first) throw new Error(first.reason);
  const document = { statements: [{ effect: 'allow', actions: ['publish'], topics: ['alerts/${group}/${device.id}'] }] };
  await policies.put({ name: 'alerts', description: '', document }, actor);
  await policies.attach('alerts', { kind: 'credential', id: ID }, actor);
  const renewed = await authorizer.renew(first);
  expect([first.mayPublish('alerts/acme/d1'), 'mayPublish' in renewed && renewed.mayPublish('alerts/acme/d1')]).toEqual([
    false,
    true,
  ]);

  const only = { statements: [{ effect: 'deny', actions: ['connect'], clients: ['c*'] }] };
  await policies.put({ name: 'no-c', description: '', document: only }, actor);
  await policies.attach('no-c', { kind: 'group', id: '/acme' }, actor);
  expect(await authorizer.renew(first)).toMatchObject({
    refused: 'not-authorized',
    reason: /client id c1: policy no-c denies it/,
  });
  expect(await connect({ clientId: 'other' })).toHaveProperty('id', 'd1');
  await policies.remove('no-c', actor);
  expect(await authorizer.renew(first)).toHaveProperty('id', 'd1');

  await file.database.updateTable('certificate').set({ status: 'revoked' }).execute();
  expect(await authorizer.renew(first)).toMatchObject({ refused: 'bad-credentials', reason: /is revoked/ });
  await file.database.deleteFrom('certificate').execute();
  expect(await authorizer.renew(first)).toHaveProperty('refused');
});

test('a device without any policy may not even connect', async () => {
  await addCertificate();
  await file.database.deleteFrom('policy_attachment').execute();
  await file.database.updateTable('access_version').set({ version: 9 }).execute();
  expect(await connect()).toMatchObject({ refused: 'not-authorized', reason: /no policy allows it/ });
});

test('a database that cannot be read is a refusal that may be retried', async () => {
  await addCertificate();
  const granted = await connect();
  await file.database.destroy();
  expect(await connect()).toHaveProperty('refused', 'server-busy');
  expect(await authorizer.renew(granted as AccessGranted)).toHaveProperty('refused', 'server-busy');
});
