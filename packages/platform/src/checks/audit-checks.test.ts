import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { PolicyStore } from '../identity/policies/policy-store.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { makeSelfSigned } from '../pki/authority-certificate.ts';
import { signerOf } from '../pki/local-authority.ts';
import { newPrivateKeyPem } from '../pki/pki-files.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { EVERYTHING } from '../registry/scope.ts';
import { AuditChecks } from './audit-checks.ts';
import type { CheckName } from './check.ts';
import { MAX_FINDINGS, MAX_REPORTS } from './check-reports.ts';
import type { ClientFacts } from './client-checks.ts';

const DAY_MS = 86_400_000;
const NOW_MS = 20_000 * DAY_MS;

let file: OpenDatabase;
let clock: FakeClock;
let uses: Awaited<ReturnType<ClientFacts['credentialUses']>>;
let taken: Awaited<ReturnType<ClientFacts['takenOver']>>;
let gatewaysFail: boolean;

beforeEach(async () => {
  file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  clock = new FakeClock(NOW_MS);
  uses = [];
  taken = [];
  gatewaysFail = false;
  const devices = new DeviceStore({ database: file.database, clock });
  await devices.create({ id: parseDeviceId('d1'), group: '/acme/b1' });
  await devices.create({ id: parseDeviceId('d2'), group: '/other' });
});

afterEach(async () => await file[Symbol.asyncDispose]());

function open(isLogging = true): AuditChecks {
  const clients: ClientFacts = {
    credentialUses: async () => (gatewaysFail ? await Promise.reject(new Error('a thread has gone')) : uses),
    takenOver: async (atLeast) => taken.filter(({ count }) => count >= atLeast),
  };
  const rules = { expiringWithinMs: 30 * DAY_MS, maxAgeMs: 730 * DAY_MS };
  return new AuditChecks({ database: file.database, clients, rules, isLogging, clock, logLines: silentLogLines });
}

async function addCertificate(id: string, more: Record<string, unknown> = {}): Promise<void> {
  await file.database
    .insertInto('certificate')
    .values({
      id,
      device_id: 'd1',
      purpose: 'device',
      status: 'active',
      authority_id: 'ours',
      serial: '01',
      subject: 'CN=d1',
      key_hash: 'k',
      key_kind: 'P-256',
      not_before_ms: 0,
      not_after_ms: NOW_MS + 300 * DAY_MS,
      created_at_ms: NOW_MS - 10 * DAY_MS,
      activated_at_ms: null,
      first_used_at_ms: null,
      revoked_at_ms: null,
      revocation_reason: null,
      claim_batch: null,
      der: Buffer.alloc(1),
      ...more,
    })
    .execute();
}

async function addAuthority(id: string, options: { der?: Buffer; days?: number; status?: string } = {}): Promise<void> {
  const pem = makeSelfSigned({
    signer: signerOf(newPrivateKeyPem()),
    commonName: id,
    pathLength: 0,
    notBeforeMs: 0,
    notAfterMs: NOW_MS,
  });
  const der = options.der ?? Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  await file.database
    .insertInto('authority')
    .values({
      id,
      kind: 'registered',
      status: options.status ?? 'active',
      subject: `CN=${id}`,
      key_id: id,
      der,
      not_before_ms: 0,
      not_after_ms: NOW_MS + (options.days ?? 1000) * DAY_MS,
      created_at_ms: 0,
      template: null,
      revoked_at_ms: null,
    })
    .execute();
}

/** The found ones of the last report, as `check object group`. */
async function found(checks: AuditChecks): Promise<string[]> {
  const { id } = await checks.run('test');
  return (await checks.reports.findings(id, EVERYTHING)).map(({ check, object, group }) => `${check} ${object.id} ${group}`);
}

test('a new installation has nothing to find', async () => {
  const checks = open();
  const report = await checks.run('someone');
  expect(report.outcomes.every(({ status }) => status === 'compliant')).toBe(true);
  expect(await checks.reports.list()).toEqual([report]);
  expect(await checks.reports.findings(report.id, EVERYTHING)).toEqual([]);
});

test('certificates that end, are old, weak or of a revoked authority are found, each with the group of its device', async () => {
  await addAuthority('gone', { status: 'revoked' });
  await addCertificate('fine');
  await addCertificate('ending', { not_after_ms: NOW_MS + 30 * DAY_MS });
  await addCertificate('ended', { not_after_ms: NOW_MS - 1, device_id: 'd2' });
  await addCertificate('old', { activated_at_ms: NOW_MS - 731 * DAY_MS });
  await addCertificate('weak', { key_kind: 'RSA-1024' });
  await addCertificate('strong', { key_kind: 'RSA-2048' });
  await addCertificate('strange', { key_kind: 'other' });
  await addCertificate('orphan', { authority_id: 'gone' });
  await addCertificate('revoked', { status: 'revoked', key_kind: 'RSA-512', authority_id: 'gone' });
  await addCertificate('pending', { status: 'pending', key_kind: 'RSA-512' });
  expect((await found(open())).sort()).toEqual([
    'authority-revoked-in-use orphan /acme/b1',
    'certificate-age old /acme/b1',
    'certificate-expiring ended /other',
    'certificate-expiring ending /acme/b1',
    'certificate-weak-key strange /acme/b1',
    'certificate-weak-key weak /acme/b1',
  ]);
});

test('authorities that end soon are found, and those with a weak key', async () => {
  await addAuthority('fine');
  await addAuthority('ending', { days: 29 });
  await addAuthority('weak', { der: Buffer.from(WEAK, 'base64') });
  await addAuthority('revoked', { status: 'revoked', days: 1 });
  expect(await found(open())).toEqual(['authority-expiring ending /', 'authority-weak-key weak /']);
});

test('a certificate that two clients use at once is found, a claim and one client with many connections in turn are not', async () => {
  const use = (credentialId: string, principalId: string, clientId: string) => ({
    credentialId,
    principalId,
    clientId,
    remoteAddress: '192.0.2.1',
  });
  await addCertificate('shared');
  await addCertificate('alone');
  await addCertificate('claim');
  uses = [
    use('shared', 'd1', 'a'),
    use('shared', 'd1', 'b'),
    use('alone', 'd2', 'c'),
    use('claim', 'claim/1', 'd'),
    use('claim', 'claim/1', 'e'),
  ];
  const checks = open();
  expect(await found(checks)).toEqual(['certificate-shared shared /acme/b1']);
  const [report] = await checks.reports.list();
  const [finding] = await checks.reports.findings(report!.id, EVERYTHING);
  expect(finding).toMatchObject({ severity: 'critical', reason: expect.stringContaining('a from 192.0.2.1, b from 192.0.2.1') });
});

test('a client that is connected with a revoked certificate, and a client id that is fought for, are found', async () => {
  await addCertificate('revoked', { status: 'revoked' });
  uses = [{ credentialId: 'revoked', principalId: 'd2', clientId: 'c', remoteAddress: '::1' }];
  taken = [
    { clientId: 'fought', principalId: 'd1', count: 10 },
    { clientId: 'moved', principalId: 'd1', count: 9 },
  ];
  expect(await found(open())).toEqual(['certificate-revoked-connected revoked /other', 'client-id-conflict fought /acme/b1']);
});

test.each([
  ['#', true],
  ['+/#', true],
  ['telemetry/+', true],
  ['telemetry/#', true],
  ['devices/+/cmd/#', false],
  ['devices/+/+', true],
  ['$aws/things/+/shadow/#', true],
  ['telemetry/${device.id}', false],
  ['devices/${device.id}/#', false],
  ['site/${attributes.site}/#', false],
  ['${device.type}/#', false],
  ['alerts/#', false],
])('a policy that allows %s is over-broad: %s', async (topic, isFound) => {
  const trail = new AuditTrail({ database: file.database, clock });
  const policies = new PolicyStore({ database: file.database, clock, trail, onAccessChanged: () => undefined });
  const actor = systemActor('test');
  for (const [name, effect] of [
    ['attached', 'allow'],
    ['denying', 'deny'],
    ['unused', 'allow'],
  ] as const)
    await policies.put(
      { name, description: '', document: { statements: [{ effect, actions: ['subscribe'], topics: [topic] }] } },
      actor,
    );
  for (const name of ['attached', 'denying']) await policies.attach(name, { kind: 'group', id: '/acme' }, actor);
  expect(await found(open())).toEqual(isFound ? ['policy-overly-permissive attached /'] : []);
});

test('a server that writes no log lines is found', async () => {
  expect(await found(open(false))).toEqual(['logging-off logLevel /']);
});

test('a check that cannot be made is told as failed, and the others are made', async () => {
  gatewaysFail = true;
  const { outcomes } = await open(false).run('test');
  const statuses = new Map<CheckName, string>(outcomes.map(({ check, status }) => [check, status]));
  expect(statuses.get('certificate-shared')).toBe('failed');
  expect(statuses.get('certificate-age')).toBe('compliant');
  expect(statuses.get('logging-off')).toBe('non-compliant');
  expect(outcomes.find(({ check }) => check === 'client-id-conflict')?.error).toBe('a thread has gone');
});

test('who sees one group sees only what was found there', async () => {
  await addCertificate('a', { key_kind: 'other' });
  await addCertificate('b', { key_kind: 'other', device_id: 'd2' });
  const checks = open();
  const { id } = await checks.run('test');
  expect((await checks.reports.findings(id, { groups: ['/acme'] })).map(({ object }) => object.id)).toEqual(['a']);
  expect(await checks.reports.findings(id, { groups: ['/acm'] })).toEqual([]);
});

test('many findings are counted and some of them kept, and old reports go', async () => {
  for (let i = 0; i < 2_500; i++) await addCertificate(String(i).padStart(5, '0'), { key_kind: 'other' });
  const checks = open();
  const report = await checks.run('test');
  expect(report.outcomes.find(({ check }) => check === 'certificate-weak-key')?.findings).toBe(2_500);
  expect(await checks.reports.findings(report.id, EVERYTHING)).toHaveLength(MAX_FINDINGS);
  await file.database.deleteFrom('certificate').execute();
  for (let i = 0; i < MAX_REPORTS + 3; i++) await checks.run('test');
  expect(await checks.reports.list()).toHaveLength(MAX_REPORTS);
  await expect(checks.reports.get(report.id)).rejects.toMatchObject({ code: 'check-report.not-found' });
  expect(await file.database.selectFrom('check_finding').selectAll().execute()).toEqual([]);
});

test('they run once a day by themselves, and not twice at once', async () => {
  using checks = open();
  await checks.start();
  clock.advance(DAY_MS - 1);
  await settled();
  expect(await checks.reports.list()).toHaveLength(1);
  clock.advance(DAY_MS);
  await settled();
  expect((await checks.reports.list()).map(({ startedBy }) => startedBy)).toEqual(['schedule', 'schedule']);
  const first = checks.run('one');
  await expect(checks.run('two')).rejects.toMatchObject({ code: 'check.running' });
  await first;
});

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A self-signed authority with a key of RSA 1024, which nothing here would make: `openssl req -x509 -newkey rsa:1024`. */
const WEAK =
  'MIIB/DCCAWWgAwIBAgIUD0YA03v3fFF5KInihVKwSkF7SA4wDQYJKoZIhvcNAQELBQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjEx' +
  'MjMwMTUyMjJaGA8yMTI2MTAzMDAxNTIyMlowDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA6936' +
  '6baVUvA940SmPQUMIN9Ig7ReZ7PHDBLyN1iQW1FTloIFjuB9k8kxt8k3H7dapoWjD2BnCN4TuKPi6ZfLTQydS+UdKlJy8U3NpWQZ' +
  'v7TIja8OeJFfi0MLEc5hnP2AEikiaJSXvsVX1UjfYQcFFOd+/Rrmx7iZvUBMvgAU9Q0CAwEAAaNTMFEwHQYDVR0OBBYEFFxUTKPH' +
  '1J45DoZPx2ZC4rMSvWU/MB8GA1UdIwQYMBaAFFxUTKPH1J45DoZPx2ZC4rMSvWU/MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcN' +
  'AQELBQADgYEAg/eQhO1jmfl8PLspAff51IikDgfekq5AIUY1rlcZ4nWBH3yCWgt4610honebnP8sN0Fseo6VNawB4FSiJ/v2eGDy' +
  '3pYzLpOlUfPtrv2acgt6VvreKhimvwlP5GnqKcpmqCVfvth+Xb0dqFLsMEaPtKSWVebc2qfPQTH8PeyZhQI=';
