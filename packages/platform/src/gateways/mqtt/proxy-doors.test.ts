import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../kernel/clock.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { FREE, openDoors, RawClient, type TestDoors } from './doors.fixture.ts';
import { testPki, type TestPki } from './tls.fixture.ts';

const HEADER = 'PROXY TCP4 10.9.8.7 127.0.0.1 54321 1883\r\n';
const HEADER_2 = Buffer.from('0d0a0d0a000d0a515549540a' + '2111000c' + '0a090807' + '7f000001' + 'd431' + '075b', 'hex');
const CONNECT = '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0';

describe('doors behind a proxy', () => {
  let folder = '';
  let pki: TestPki;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-proxy-'));
    pki = await testPki(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  let doors: TestDoors;
  const clients: RawClient[] = [];
  const client = async (port: number): Promise<RawClient> => {
    const made = await RawClient.open(port);
    clients.push(made);
    return made;
  };
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    await doors[Symbol.asyncDispose]();
  });
  const open = async (clock = systemClock) =>
    (doors = await openDoors(
      { tcp: FREE, tls: FREE, ws: FREE, wss: FREE, tlsMaterial: pki.material, proxyProtocol: true },
      { clock },
    ));

  it.each([
    ['version 1', Buffer.from(HEADER)],
    ['version 2', HEADER_2],
  ])('know the client by %s, however the header is cut, and lose nothing behind it', async (_, header) => {
    await open();
    const all = Buffer.concat([header, Buffer.from(CONNECT, 'latin1')]);
    const whole = await client(doors.ports.tcp);
    whole.socket.write(all);
    const one = await doors.nth(0);
    const cut = await client(doors.ports.tcp);
    await cut.sendSlowly(Array.from(all, (byte) => Buffer.of(byte)));
    const two = await doors.nth(1);
    const later = await client(doors.ports.tcp);
    later.socket.write(header);
    const three = await doors.nth(2);
    later.socket.write(CONNECT, 'latin1');
    for (const admitted of [one, two, three]) {
      await expect.poll(() => admitted.text).toBe(CONNECT);
      expect(admitted.transport.remoteAddress).toBe('10.9.8.7');
    }
    whole.socket.end('more');
    await expect.poll(() => one.text + String(one.ended)).toBe(`${CONNECT}moretrue`);
  });

  it('take the address of the connection where the proxy speaks for itself', async () => {
    await open();
    (await client(doors.ports.tcp)).socket.write('PROXY UNKNOWN\r\n');
    expect((await doors.nth(0)).transport.remoteAddress).toBe('127.0.0.1');
  });

  it.each(['together with', 'before'])('take a TLS handshake that comes %s the header', async (how) => {
    await open();
    const raw = await client(doors.ports.tls);
    if (how === 'before') {
      raw.socket.write(HEADER_2);
      await expect.poll(() => doors.gateway.counters.sockets).toBe(1);
    } else {
      raw.socket.cork();
      raw.socket.write(HEADER_2);
      setImmediate(() => raw.socket.uncork());
    }
    raw.socket.removeAllListeners('data');
    const secure = connectTls({ socket: raw.socket, ca: pki.caPem, servername: 'localhost', ALPNProtocols: ['mqtt'] });
    secure.write(CONNECT, 'latin1');
    await once(secure, 'secureConnect');
    const admitted = await doors.nth(0);
    await expect.poll(() => admitted.text).toBe(CONNECT);
    expect([admitted.door, admitted.transport.remoteAddress]).toEqual(['tls', '10.9.8.7']);
    secure.destroy();
  });

  it('take a WebSocket, also over TLS', async () => {
    await open();
    for (const [index, door] of (['ws', 'wss'] as const).entries()) {
      const raw = await client(doors.ports[door]);
      raw.socket.write(HEADER);
      raw.socket.removeAllListeners('data');
      const stream =
        door === 'ws'
          ? raw.socket
          : connectTls({ socket: raw.socket, ca: pki.caPem, servername: 'localhost', ALPNProtocols: ['http/1.1'] });
      const webSocket = new WebSocket('ws://localhost/mqtt', 'mqtt', { createConnection: () => stream });
      await once(webSocket, 'open');
      webSocket.send(Buffer.from(CONNECT, 'latin1'));
      const admitted = await doors.nth(index);
      await expect.poll(() => admitted.text).toBe(CONNECT);
      expect([admitted.door, admitted.transport.remoteAddress]).toEqual([door, '10.9.8.7']);
      webSocket.terminate();
    }
  });

  it('close on a missing, a wrong and an unfinished header, and count it', async () => {
    await open();
    for (const [index, bytes] of [CONNECT, 'PROXY TCP4 nowhere\r\n', 'PROXY TCP4 10.'].entries()) {
      const wrong = await client(doors.ports.tcp);
      wrong.socket.end(Buffer.from(bytes, 'latin1'));
      await expect.poll(() => wrong.closed).toBe(true);
      expect(doors.gateway.counters.refused['proxy-header']).toBe(index + 1);
    }
    await expect.poll(() => doors.gateway.counters.sockets).toBe(0);
    expect(doors.admitted).toEqual([]);
  });

  it('close what is not through at its deadline: no header, no handshake, no upgrade', async () => {
    const clock = new FakeClock();
    await open(clock);
    const silent = await client(doors.ports.tcp);
    const half = await client(doors.ports.tls);
    half.socket.write(HEADER);
    const idle = await client(doors.ports.ws);
    idle.socket.write(`${HEADER}GET /mqtt HTTP/1.1\r\n`);
    await expect.poll(() => doors.gateway.counters.sockets).toBe(3);
    clock.advance(6_000);
    const late = await client(doors.ports.tcp);
    await expect.poll(() => doors.gateway.counters.sockets).toBe(4);
    clock.advance(4_000);
    await expect.poll(() => [silent, half, idle].every(({ ended, closed }) => ended || closed)).toBe(true);
    expect([doors.gateway.counters.refused.deadline, late.ended]).toEqual([3, false]);
    late.socket.write(HEADER);
    await doors.nth(0);
    clock.advance(60_000);
    expect([doors.gateway.counters.refused.deadline, late.ended]).toEqual([3, false]);
  });
});
