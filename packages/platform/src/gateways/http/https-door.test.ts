import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { openTestAuthority, type TestAuthority } from '../../pki/authority.fixture.ts';
import type { TlsMaterial } from '../mqtt/tls-material.ts';
import { clientCertificateOf } from '../mqtt/client-certificate.ts';
import { HttpsDoor } from './https-door.ts';

let dir = '';
let authority: TestAuthority;
let material: TlsMaterial;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'selsyn-https-'));
  authority = await openTestAuthority({ dir, clock: systemClock });
  const { certificatePem, privateKeyPem } = await authority.serverCertificate([{ type: 'ip', value: '127.0.0.1' }]);
  material = {
    certificate: certificatePem,
    privateKey: privateKeyPem,
    clientAuthorities: [authority.certificatePem],
    ticketKeys: Buffer.alloc(48, 7),
  };
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Answers with the common name of the client certificate. */
const sayWho: RequestListener = ({ socket }, response) => {
  const der = clientCertificateOf(socket)?.der;
  response.end(der === undefined ? 'nobody' : `bytes ${der.length}`);
};

async function open(clock = new FakeClock()): Promise<HttpsDoor> {
  const door = new HttpsDoor({
    host: '127.0.0.1',
    port: 0,
    material,
    clock,
    onRequest: sayWho,
    onBrokenRequest: (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
    limitsOf: createServer(),
  });
  await door.open();
  return door;
}

async function get(door: HttpsDoor, options: ConnectionOptions = {}): Promise<string> {
  return await new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: door.port, ca: authority.certificatePem, agent: false, ...options },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        answer.on('end', () => resolve(body));
      },
    );
    asked.on('error', reject).end();
  });
}

async function counts(door: HttpsDoor): Promise<Readonly<Record<string, number>>> {
  const registry = new Registry();
  door.register(registry);
  const metrics = await registry.getMetricsAsJSON();
  return Object.fromEntries(metrics.map(({ name, values }) => [name.replace('selsyn_https_', ''), values[0]?.value ?? 0]));
}

it('serves who shows no certificate, one of ours, and one of nobody’s: whoever asks may look at it', async () => {
  await using door = await open();
  expect(await get(door)).toBe('nobody');
  for (const { certificatePem: cert, privateKeyPem: key } of [
    await authority.issueDeviceCertificate('d1'),
    await (await openTestAuthority({ dir: join(dir, 'other'), clock: systemClock })).issueDeviceCertificate('d2'),
  ])
    expect(await get(door, { cert, key })).toMatch(/^bytes \d+$/);
  expect(await counts(door)).toEqual({
    connections_total: 3,
    failed_handshakes_total: 0,
    refused_connections_total: 0,
    handshakes: 0,
  });
});

it('shows the certificate again that a resumed session was begun with', async () => {
  await using door = await open();
  const { certificatePem: cert, privateKeyPem: key } = await authority.issueDeviceCertificate('d1');
  const open1 = (options: ConnectionOptions): TLSSocket =>
    connect({ host: '127.0.0.1', port: door.port, ca: authority.certificatePem, ...options });
  const first = open1({ cert, key });
  const ticket = once(first, 'session');
  first.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [session] = (await ticket) as [Buffer];
  first.resume();
  await once(first, 'close');
  const second = open1({ session });
  await once(second, 'secureConnect');
  const isReused = second.isSessionReused();
  second.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const piece of second) text += String(piece);
  expect([isReused, text]).toEqual([true, expect.stringMatching(/bytes \d+$/)]);
});

it('takes up another certificate while it runs', async () => {
  await using door = await open();
  expect(await get(door)).toBe('nobody');
  const other = await openTestAuthority({ dir: join(dir, 'renewed'), clock: systemClock });
  const { certificatePem, privateKeyPem } = await other.serverCertificate([{ type: 'ip', value: '127.0.0.1' }]);
  door.renew({ ...material, certificate: certificatePem, privateKey: privateKeyPem });
  await expect(get(door)).rejects.toThrow();
  expect(await get(door, { ca: other.certificatePem })).toBe('nobody');
});

it('closes unanswered what comes too fast from one address, and takes it again a second later', async () => {
  const clock = new FakeClock();
  await using door = await open(clock);
  const sockets = Array.from({ length: 130 }, () => connectTcp({ host: '127.0.0.1', port: door.port }).on('error', () => {}));
  const closed = await Promise.all(
    sockets
      .slice(100)
      .map(async (socket) => await new Promise<boolean>((resolve) => socket.once('close', () => resolve(true)).resume())),
  );
  expect(closed).toHaveLength(30);
  expect(await counts(door)).toMatchObject({ refused_connections_total: 30, handshakes: 100 });
  for (const socket of sockets) socket.destroy();
  await expect(get(door)).rejects.toThrow();
  clock.advance(1_000);
  expect(await get(door)).toBe('nobody');
});

it('has a bound for handshakes that do not come to their end', async () => {
  const clock = new FakeClock();
  await using door = await open(clock);
  const sockets: ReturnType<typeof connectTcp>[] = [];
  for (let round = 0; round < 3; round++) {
    const some = Array.from({ length: 90 }, () => connectTcp({ host: '127.0.0.1', port: door.port }).on('error', () => {}));
    sockets.push(...some);
    for (;;) {
      const { handshakes = 0, refused_connections_total: refused = 0 } = await counts(door);
      if (handshakes + refused === sockets.length) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    clock.advance(60_000);
  }
  expect(await counts(door)).toMatchObject({ refused_connections_total: 14, handshakes: 256 });
  for (const socket of sockets) socket.destroy();
});

it('answers what is no TLS by closing, and counts it', async () => {
  await using door = await open();
  const socket = connectTcp({ host: '127.0.0.1', port: door.port });
  socket
    .on('error', () => {})
    .resume()
    .write('GET / HTTP/1.1\r\n\r\n');
  await once(socket, 'close');
  expect(await counts(door)).toMatchObject({ failed_handshakes_total: 1, handshakes: 0 });
});
