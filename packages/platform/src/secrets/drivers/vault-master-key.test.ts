import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestSecrets } from '../secrets.fixture.ts';
import { VaultMasterKey } from './vault-master-key.ts';

const TOKEN = 'hvs.test';

/** The two calls of Vault's transit engine that are used, answered as its documentation has them. */
class FakeTransit {
  readonly #key = randomBytes(32);
  readonly server: Server;
  version = 1;
  status: number | undefined;

  constructor() {
    this.server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const [status, answer] = this.#answer(request, JSON.parse(body) as Record<string, string>);
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
  }

  #answer(request: IncomingMessage, body: Record<string, string>): [number, unknown] {
    if (this.status !== undefined) return [this.status, { errors: ['Vault is sealed'] }];
    if (request.headers['x-vault-token'] !== TOKEN) return [403, { errors: ['permission denied'] }];
    const aad = Buffer.from(body['associated_data'] ?? '', 'base64');
    if (request.url === '/v1/transit/encrypt/selsyn') {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(aad);
      const sealed = Buffer.concat([
        nonce,
        cipher.update(body['plaintext'] ?? '', 'base64'),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return [200, { data: { ciphertext: `vault:v${this.version}:${sealed.toString('base64')}`, key_version: this.version } }];
    }
    if (request.url !== '/v1/transit/decrypt/selsyn') return [404, { errors: [] }];
    const sealed = Buffer.from(body['ciphertext']?.split(':')[2] ?? '', 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, 12))
        .setAAD(aad)
        .setAuthTag(sealed.subarray(-16));
      const plain = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
      return [200, { data: { plaintext: plain.toString('base64') } }];
    } catch {
      return [400, { errors: ['cipher: message authentication failed'] }];
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

let transit: FakeTransit;
let url = '';

beforeEach(async () => {
  transit = new FakeTransit();
  await new Promise<void>((resolve) => transit.server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(transit.server.address() as AddressInfo).port}`;
});
afterEach(() => transit.server.close());

function vault(options: Partial<ConstructorParameters<typeof VaultMasterKey>[0]> = {}): VaultMasterKey {
  return new VaultMasterKey({ url, mount: 'transit', key: 'selsyn', token: TOKEN, ...options });
}

test('wraps and unwraps by the key in Vault, under the name of the data key', async () => {
  const dataKey = randomBytes(32);
  const wrapped = await vault().wrap(dataKey, 'k1');
  expect(wrapped).toMatch(/^vault:v1:/);
  expect(Buffer.from(await vault().unwrap(wrapped, 'k1'))).toEqual(dataKey);
  await expect(vault().unwrap(wrapped, 'k2')).rejects.toMatchObject({ code: 'secrets.wrong-master-key' });
});

test('a Vault that is sealed, refuses, is not there, or is another server is unavailable, with the reason', async () => {
  transit.status = 503;
  await expect(vault().wrap(randomBytes(32), 'k1')).rejects.toMatchObject({
    code: 'secrets.unavailable',
    retryable: true,
    message: expect.stringContaining('Vault is sealed') as string,
  });
  transit.status = undefined;
  await expect(vault({ token: 'other' }).wrap(randomBytes(32), 'k1')).rejects.toThrow(/403: permission denied/);
  await expect(vault({ key: 'nothing' }).unwrap('vault:v1:AAAA', 'k1')).rejects.toMatchObject({ code: 'secrets.unavailable' });
  await new Promise((resolve) => transit.server.close(resolve));
  await expect(vault().wrap(randomBytes(32), 'k1')).rejects.toThrow(/cannot be reached/);
});

test('a rotation of the master key wraps the data keys by the newest version', async () => {
  await using open = await openTestSecrets();
  await using secrets = await open.openWith(vault());
  transit.version = 2;
  await secrets.rotateMasterKey({ kind: 'system', id: 'test', name: 'test' });
  const [row] = await open.database.selectFrom('data_key').selectAll().execute();
  expect(row?.wrapped).toMatch(/^vault:v2:/);
  await using again = await open.openWith(vault());
  expect(await again.server.read('api-seal')).toHaveLength(43);
});
