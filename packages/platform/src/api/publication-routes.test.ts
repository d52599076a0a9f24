import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { OpenSsl } from '../pki/openssl.fixture.ts';
import { openTestApi } from './api.fixture.ts';

async function open() {
  // Openssl looks at its own clock.
  const api = await openTestApi();
  api.clock.step(Date.now() - api.clock.now());
  await api.devices.create({ id: parseDeviceId('a1') });
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const openssl = new OpenSsl();
  const { certificates, authorities } = api.pki;
  const [authority] = await authorities.list();
  const { certificateId: id, certificatePem } = await certificates.issueWithNewKey({
    commonName: 'a1',
    purpose: 'device',
    status: 'active',
    deviceId: 'a1',
    actor: { kind: 'system', id: 'test', name: 'test' },
  });
  openssl.write('leaf.pem', certificatePem);
  const get = async (path: string, headers: Record<string, string> = {}) => await fetch(`${url}${path}`, { headers });
  openssl.write('ca.pem', await (await get('/pki/ca.crt')).text());
  const revoke = async () => await certificates.revoke(id, 'keyCompromise', { kind: 'system', id: 'test', name: 'test' });
  return {
    api,
    url,
    openssl,
    authorityId: authority!.id,
    get,
    revoke,
    async [Symbol.asyncDispose]() {
      openssl[Symbol.dispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

test('openssl verify -crl_check with what anybody can fetch: good, and revoked right after', async () => {
  await using world = await open();
  const { openssl, authorityId, get } = world;
  const verify = async (): Promise<string> => {
    const list = await get(`/pki/crl/${authorityId}.crl`);
    expect(list.headers.get('content-type')).toBe('application/pkix-crl');
    openssl.write('list.crl', new Uint8Array(await list.arrayBuffer()));
    openssl.run('crl', '-inform', 'DER', '-in', 'list.crl', '-out', 'list.pem');
    return openssl.run('verify', '-crl_check', '-CAfile', 'ca.pem', '-CRLfile', 'list.pem', 'leaf.pem');
  };
  expect(await verify()).toMatch(/OK/);
  await world.revoke();
  expect(await verify()).toMatch(/certificate revoked/);
});

test('openssl ocsp over HTTP: good, and revoked with its reason right after; the GET form of RFC 6960 too', async () => {
  await using world = await open();
  const { openssl, url, get } = world;
  const ask = async (...args: readonly string[]): Promise<string> => {
    const question = ['ocsp', '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-CAfile', 'ca.pem', ...args];
    const child = spawn('openssl', [...question, '-url', `${url}/pki/ocsp`], { cwd: openssl.dir });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    return said;
  };
  expect(await ask()).toMatch(/Response verify OK[^]*leaf\.pem: good/);
  expect(await ask('-no_nonce')).toMatch(/leaf\.pem: good/);
  await world.revoke();
  for (const args of [[], ['-no_nonce']]) expect(await ask(...args)).toMatch(/leaf\.pem: revoked[^]*keyCompromise/);
  openssl.run('ocsp', '-no_nonce', '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-reqout', 'question.der');
  const question = readFileSync(openssl.path('question.der')).toString('base64');
  for (const path of [question, encodeURIComponent(question)]) {
    const answer = await get(`/pki/ocsp/${path}`);
    expect(answer.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    openssl.write('answer.der', new Uint8Array(await answer.arrayBuffer()));
    const said = openssl.run('ocsp', '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-respin', 'answer.der', '-CAfile', 'ca.pem');
    expect(said).toMatch(/leaf\.pem: revoked/);
  }
});

test('a copy of a list that is still good is not sent again', async () => {
  await using world = await open();
  const path = `/pki/crl/${world.authorityId}.crl`;
  const first = await world.get(path);
  const tag = first.headers.get('etag') ?? '';
  expect((await world.get(path, { 'if-none-match': tag })).status).toBe(304);
  await world.revoke();
  const second = await world.get(path, { 'if-none-match': tag });
  expect([second.status, second.headers.get('etag') === tag]).toEqual([200, false]);
});

test('the authority is given as DER too; what is not there, and what is no question, is said so without a key', async () => {
  await using world = await open();
  const { openssl, get, url, authorityId } = world;
  openssl.write('ca.cer', new Uint8Array(await (await get(`/pki/ca/${authorityId}.cer`)).arrayBuffer()));
  expect(openssl.run('x509', '-inform', 'DER', '-in', 'ca.cer')).toBe(readFileSync(openssl.path('ca.pem'), 'utf8'));
  for (const path of [`/pki/crl/${'0'.repeat(64)}.crl`, `/pki/ca/${'0'.repeat(64)}.cer`])
    expect((await get(path)).status).toBe(404);
  for (const path of ['/pki/crl/x', '/pki/crl/..%2f..%2fetc%2fpasswd.crl', '/pki/ca/x.cer'])
    expect((await get(path)).status).toBe(400);
  const post = async (type: string, body: Uint8Array<ArrayBuffer>) =>
    await fetch(`${url}/pki/ocsp`, { method: 'POST', headers: { 'content-type': type }, body });
  for (const body of [new Uint8Array(), new Uint8Array(100)]) {
    const answer = await post('application/ocsp-request', body);
    expect([answer.status, Buffer.from(await answer.arrayBuffer()).toString('hex')]).toEqual([200, '30030a0101']);
  }
  expect((await post('application/ocsp-request', new Uint8Array(10_000))).status).toBe(413);
  expect((await post('text/plain', new Uint8Array(1))).status).toBe(415);
});
