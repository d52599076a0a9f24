import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { OpenSsl, P256, rsa } from '../pki/openssl.fixture.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

interface Issued {
  readonly certificateId: string;
  readonly certificatePem: string;
  readonly caPem: string;
  readonly privateKeyPem?: string;
}

async function open() {
  const api = await openTestApi();
  for (const [id, group] of [
    ['a1', '/acme'],
    ['b1', '/other'],
  ] as const)
    await api.devices.create({ id: parseDeviceId(id), group });
  const send = async (
    method: 'GET' | 'POST' | 'PATCH',
    url: string,
    payload?: object,
    headers: Record<string, string> = asAdmin,
  ) => {
    const reply = await api.app.inject({ method, url: `/api/v1${url}`, headers, ...(payload !== undefined && { payload }) });
    return { status: reply.statusCode, body: reply.json<Record<string, unknown>>() };
  };
  const issue = async (device: string, body: object = {}): Promise<Issued> => {
    const { status, body: issued } = await send('POST', `/devices/${device}/certificates`, body);
    expect(status).toBe(201);
    return issued as unknown as Issued;
  };
  return { api, send, issue, [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose]() };
}

/** The header of a key that may read and write certificates in a group alone. */
async function operatorAt(api: TestApi, group: string): Promise<Record<string, string>> {
  const reply = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: `operator of ${group}`, grants: [{ role: 'operator', group }] },
  });
  expect(reply.statusCode).toBe(201);
  return { authorization: `Bearer ${reply.json<{ key: string }>().key}` };
}

test('a certificate is issued with a new key, shown, listed, and revoked once and for all', async () => {
  await using world = await open();
  const { api, send, issue } = world;
  const issued = await issue('a1', { days: 30 });
  const read = new X509Certificate(issued.certificatePem);
  expect(read.verify(new X509Certificate(issued.caPem).publicKey)).toBe(true);
  expect(issued.privateKeyPem).toMatch(/BEGIN PRIVATE KEY/);
  expect(Math.round((read.validToDate.getTime() - api.clock.now()) / 86_400_000)).toBe(30);
  const { body: shown } = await send('GET', `/certificates/${issued.certificateId}`);
  expect(shown).toMatchObject({
    id: issued.certificateId,
    device: 'a1',
    status: 'active',
    certificatePem: issued.certificatePem,
  });
  expect((await send('GET', '/certificates?expiringWithinDays=31')).body).toMatchObject({
    items: [{ id: issued.certificateId }],
  });
  expect((await send('GET', '/certificates?expiringWithinDays=29')).body).toEqual({ items: [] });
  const revoked = await send('POST', `/certificates/${issued.certificateId}/revoke`, { reason: 'keyCompromise' });
  expect(revoked).toMatchObject({ status: 200, body: { status: 'revoked', revocationReason: 'keyCompromise' } });
  expect(api.accessChanges).toEqual([['a1']]);
  expect((await send('GET', `/certificates?device=a1&serial=${read.serialNumber}`)).body).toMatchObject({
    items: [{ status: 'revoked' }],
  });
});

test('a certificate for a request has its key and no more of it; no key is answered', async () => {
  await using world = await open();
  using openssl = new OpenSsl();
  const csr = openssl.csr(P256, '-subj', '/CN=b1', '-addext', 'basicConstraints=critical,CA:TRUE');
  const issued = await world.issue('a1', { csrPem: csr });
  expect(issued).not.toHaveProperty('privateKeyPem');
  const read = new X509Certificate(issued.certificatePem);
  expect([read.subject, read.ca]).toEqual(['CN=a1', false]);
  const key = execFileSync('openssl', ['pkey', '-in', 'key.pem', '-pubout'], { cwd: openssl.dir, encoding: 'utf8' });
  expect(read.publicKey.export({ type: 'spki', format: 'pem' })).toBe(key);
  const weak = openssl.csr(rsa(1024));
  const refused = await world.send('POST', '/devices/a1/certificates', { csrPem: weak });
  expect(refused).toMatchObject({ status: 422, body: { code: 'csr.weak-key' } });
  const nonsense = await world.send('POST', '/devices/a1/certificates', { csrPem: 'x' });
  expect(nonsense).toMatchObject({ status: 400, body: { code: 'csr.invalid' } });
  expect((await world.send('POST', '/devices/nobody/certificates', {})).body).toMatchObject({ code: 'device.not-found' });
});

test('an operator of one group neither sees nor issues nor revokes in another, and has no say over authorities', async () => {
  await using world = await open();
  const { api, send, issue } = world;
  const own = await issue('a1');
  const other = await issue('b1');
  const headers = await operatorAt(api, '/acme');
  expect((await send('GET', '/certificates', undefined, headers)).body).toMatchObject({ items: [{ id: own.certificateId }] });
  for (const [method, url, body] of [
    ['POST', '/devices/b1/certificates', {}],
    ['GET', `/certificates/${other.certificateId}`, undefined],
    ['POST', `/certificates/${other.certificateId}/revoke`, {}],
  ] as const)
    expect((await send(method, url, body, headers)).status).toBe(404);
  const filtered = `/certificates?device=b1&fingerprint=${other.certificateId}`;
  expect((await send('GET', filtered, undefined, headers)).body).toEqual({ items: [] });
  for (const url of ['/authorities', '/authorities/registrations'])
    expect((await send(url === '/authorities' ? 'GET' : 'POST', url, undefined, headers)).status).toBe(403);
  expect((await send('POST', `/certificates/${own.certificateId}/revoke`, {}, headers)).status).toBe(200);
  expect((await api.pki.certificates.get(other.certificateId)).status).toBe('active');
});

test('pages of a caller who does not see all go on where they stopped, and their cursors tell nothing', async () => {
  await using world = await open();
  const { api, send } = world;
  for (const id of ['x1', 'x2', 'x3']) {
    await api.devices.create({ id: parseDeviceId(id), group: '/acme' });
    await world.issue(id);
    await world.issue('b1');
  }
  const headers = await operatorAt(api, '/acme');
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await send('GET', `/certificates?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`, undefined, headers);
    const { items, cursor: next } = page.body as { items: { device: string }[]; cursor?: string };
    seen.push(...items.map(({ device }) => device));
    cursor = next ?? '';
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toMatch(/[0-9a-f]{16}/);
  } while (cursor !== '');
  expect(seen.sort()).toEqual(['x1', 'x2', 'x3']);
  expect((await send('GET', '/certificates?cursor=bogus', undefined, headers)).status).toBe(400);
  expect((await send('GET', '/certificates?cursor=bogus')).status).toBe(400);
});

test('an authority is registered, changed and revoked', async () => {
  await using world = await open();
  const { api, send } = world;
  api.clock.step(Date.now() + 60_000 - api.clock.now());
  using openssl = new OpenSsl();
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl.run('req', '-x509', ...key, '-keyout', 'ca.key', '-subj', '/CN=factory', '-days', '9', '-out', 'ca.pem');
  const { body: registration } = await send('POST', '/authorities/registrations');
  openssl.run('req', '-new', ...key, '-keyout', 'proof.key', '-subj', `/CN=${String(registration['code'])}`, '-out', 'proof.csr');
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  openssl.run('x509', '-req', '-in', 'proof.csr', ...by, '-days', '1', '-out', 'proof.pem');
  const [certificatePem, proofPem] = ['ca.pem', 'proof.pem'].map((name) => readFileSync(openssl.path(name), 'utf8'));
  const { status, body: registered } = await send('POST', '/authorities', { certificatePem, proofPem });
  expect([status, registered['kind'], registered['status']]).toEqual([201, 'registered', 'active']);
  const path = `/authorities/${String(registered['id'])}`;
  expect((await send('GET', path)).body).toEqual(registered);
  expect((await send('GET', '/authorities')).body).toMatchObject({ items: [{ kind: 'registered' }, { kind: 'own' }] });
  expect((await send('PATCH', path, { status: 'inactive' })).body).toMatchObject({ status: 'inactive' });
  expect((await send('PATCH', path, { template: 'nonsense' })).status).toBe(400);
  expect((await send('POST', `${path}/revoke`, { certificates: true })).body).toEqual({ certificates: 0 });
  expect((await send('PATCH', path, { status: 'active' })).status).toBe(409);
});
