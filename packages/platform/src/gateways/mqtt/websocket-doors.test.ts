import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { FREE, openDoors, RawClient, type TestDoors } from './doors.fixture.ts';
import { testPki, type TestPki } from './tls.fixture.ts';
import type { WebSocketTransport } from './websocket-transport.ts';

describe('the WebSocket door', () => {
  let folder = '';
  let pki: TestPki;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-ws-'));
    pki = await testPki(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  let doors: TestDoors;
  const clients: { terminate(): void }[] = [];
  const open = async (settings: { localPagesOnly?: boolean } = {}, options: Parameters<typeof openDoors>[1] = {}) =>
    (doors = await openDoors(
      { ws: FREE, wss: FREE, tlsMaterial: pki.material, clientCertificates: 'optional', ...settings },
      options,
    ));
  const dial = (path = '/mqtt', protocols: string | string[] = 'mqtt', options: ClientOptions = {}): WebSocket => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${doors.ports.ws}${path}`, protocols, options);
    webSocket.on('error', () => {});
    clients.push(webSocket);
    return webSocket;
  };
  const opened = async (...args: Parameters<typeof dial>): Promise<WebSocket> => {
    const webSocket = dial(...args);
    await once(webSocket, 'open');
    return webSocket;
  };
  const statusOf = async (...args: Parameters<typeof dial>): Promise<number | undefined> => {
    const [, response] = (await once(dial(...args), 'unexpected-response')) as [unknown, { statusCode?: number }];
    return response.statusCode;
  };
  afterEach(async () => {
    for (const client of clients.splice(0)) client.terminate();
    await doors[Symbol.asyncDispose]();
  });

  it('answers the subprotocol mqtt [MQTT-6.0.0-3] [MQTT-6.0.0-4], and mqttv3.1 to those who offer only that', async () => {
    await open();
    for (const [offered, answered] of [
      [['mqtt'], 'mqtt'],
      [['mqttv3.1', 'mqtt'], 'mqtt'],
      [['mqttv3.1'], 'mqttv3.1'],
    ] as const)
      expect((await opened('/mqtt', [...offered])).protocol).toBe(answered);
    expect((await opened('/mqtt?x=1')).protocol).toBe('mqtt');
    expect(await statusOf('/mqtt', [])).toBe(400);
    expect(await statusOf('/mqtt', ['wamp'])).toBe(400);
    expect(doors.admitted.length).toBe(4);
  });

  it('has nothing else', async () => {
    await open();
    expect(await statusOf('/')).toBe(404);
    expect(await statusOf('/mqtt/')).toBe(404);
    const url = `http://127.0.0.1:${doors.ports.ws}`;
    expect([(await fetch(`${url}/mqtt`)).status, (await fetch(`${url}/x`, { method: 'POST', body: 'x' })).status]).toEqual([
      426, 404,
    ]);
    const nonsense = await RawClient.open(doors.ports.ws);
    nonsense.socket.end('\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0');
    await expect.poll(() => nonsense.text).toMatch(/^HTTP\/1\.1 400 /);
    const older = await RawClient.open(doors.ports.ws);
    older.socket.write(
      'GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await expect.poll(() => older.text + String(older.ended)).toMatch(/^HTTP\/1\.1 400 .*Sec-WebSocket-Version: 13.*true$/s);
    older.socket.end();
    expect([doors.gateway.counters.refused.websocket, doors.admitted.length]).toEqual([6, 0]);
    await expect.poll(() => doors.gateway.counters.sockets).toBe(0);
  });

  it('takes packets split anywhere over frames, and many in one [MQTT-6.0.0-2]', async () => {
    await open();
    let index = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.array(fc.nat(400), { maxLength: 6 }),
        async (bytes, cuts) => {
          const webSocket = await opened();
          const admitted = await doors.nth(index++);
          const at = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
          for (const [n, end] of at.slice(1).entries())
            webSocket.send(bytes.subarray(at[n], end), { fin: n % 2 === 0 || end === bytes.length });
          await expect.poll(() => admitted.text, { interval: 1 }).toBe(Buffer.from(bytes).toString('latin1'));
          webSocket.terminate();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('are closed where a message trickles in, whatever pings come between; one that is only silent is not', async () => {
    const clock = new FakeClock();
    await open({}, { clock });
    const slow = await opened();
    const silent = await opened();
    slow.send(Buffer.alloc(10), { fin: false });
    const [first, second] = [await doors.nth(0), await doors.nth(1)];
    await expect.poll(() => (first.transport as WebSocketTransport).partialBytes).toBeGreaterThan(0);
    silent.send(Buffer.from('x'));
    await expect.poll(() => second.text).toBe('x');
    const code = once(slow, 'close').then(([closedWith]) => closedWith as number);
    for (let i = 0; i < 7; i++) {
      const before = (first.transport as WebSocketTransport).partialBytes;
      slow.ping('still here');
      slow.send(Buffer.alloc(1), { fin: false });
      await expect.poll(() => (first.transport as WebSocketTransport).partialBytes).toBeGreaterThan(before);
      clock.advance(10_000);
    }
    expect(await code).toBe(1008);
    expect([first.ended, second.ended, doors.gateway.counters.slowFrames]).toEqual([true, false, 1]);
  });

  it('sends each write as one binary frame, in order [MQTT-6.0.0-1]', async () => {
    await open();
    const webSocket = await opened();
    const { transport } = await doors.nth(0);
    const got: string[] = [];
    webSocket.on('message', (data: Buffer, isBinary) => got.push(`${isBinary} ${data.toString()}`));
    const bytes = Buffer.from('one');
    expect(transport.write(bytes)).toBe(true);
    bytes.fill(0); // it was given back
    transport.write(Buffer.from('two'));
    await expect.poll(() => got).toEqual(['true one', 'true two']);
    expect([transport.door, transport.remoteAddress, transport.certificate, transport.backlogBytes]).toEqual([
      'ws',
      '127.0.0.1',
      undefined,
      0,
    ]);
  });

  it('closes with 1003 on a text frame [MQTT-6.0.0-1], and takes nothing after it', async () => {
    await open();
    const webSocket = await opened();
    const admitted = await doors.nth(0);
    webSocket.send(Buffer.from('a'));
    webSocket.send('text');
    webSocket.send(Buffer.from('b'));
    expect((await once(webSocket, 'close'))[0]).toBe(1003);
    await expect.poll(() => admitted.closed).toBe(true);
    expect([admitted.text, admitted.ended]).toEqual(['a', true]);
  });

  it('bounds a message, however it is cut', async () => {
    await open({}, { maxPacketBytes: 1_000 });
    for (const fin of [true, false]) {
      const webSocket = await opened();
      for (let n = 0; n < 7; n++) webSocket.send(Buffer.alloc(fin ? 70_000 : 10_000), { fin });
      expect((await once(webSocket, 'close'))[0]).toBe(1009);
    }
    expect(doors.admitted.map(({ text }) => text.length)).toEqual([0, 0]);
  });

  it('compresses nothing, and answers pings', async () => {
    await open();
    const webSocket = await opened('/mqtt', 'mqtt', { perMessageDeflate: true });
    expect(webSocket.extensions).toBe('');
    webSocket.ping('beat');
    expect(String((await once(webSocket, 'pong'))[0])).toBe('beat');
  });

  it('hands on nothing while paused, though frames came together, and keeps their order', async () => {
    await open();
    const webSocket = await opened();
    const admitted = await doors.nth(0);
    const { transport } = admitted;
    const onData = admitted.onData.bind(admitted);
    admitted.onData = (chunk) => {
      onData(chunk);
      transport.pause();
    };
    for (const text of ['1', '2', '3']) webSocket.send(Buffer.from(text));
    webSocket.close(1000);
    await once(webSocket, 'close');
    expect([admitted.text, admitted.closed]).toEqual(['1', false]);
    transport.resume();
    expect([admitted.text, admitted.closed]).toEqual(['12', false]);
    transport.resume();
    await expect.poll(() => [admitted.text, admitted.closed]).toEqual(['123', true]);
  });

  it('lets go of a closed connection that is destroyed while paused', async () => {
    await open();
    const webSocket = await opened();
    const admitted = await doors.nth(0);
    const onData = admitted.onData.bind(admitted);
    admitted.onData = (chunk) => {
      onData(chunk);
      admitted.transport.pause();
    };
    for (const text of ['1', '2']) webSocket.send(Buffer.from(text));
    webSocket.close();
    await once(webSocket, 'close');
    admitted.transport.destroy();
    await expect.poll(() => [admitted.text, admitted.closed]).toEqual(['1', true]);
  });

  it.each(['ws', 'wss'] as const)(
    'over %s tells its backlog, drains, and gets its last words and 1000 to a client that still sends',
    async (door) => {
      await open();
      const webSocket = new WebSocket(`${door}://127.0.0.1:${doors.ports[door]}/mqtt`, 'mqtt', { ca: pki.caPem });
      clients.push(webSocket);
      await once(webSocket, 'open');
      const admitted = await doors.nth(0);
      const { transport } = admitted;
      let received = 0;
      let last = '';
      webSocket.on('message', (data: Buffer) => {
        received += data.length;
        last = data.subarray(-7).toString();
      });
      webSocket.pause();
      const rounds = 400;
      for (let n = 0; n < rounds; n++) transport.write(Buffer.alloc(50_000));
      expect(transport.congested).toBe(true);
      expect(transport.backlogBytes).toBeGreaterThan(1_000_000);
      webSocket.resume();
      await expect.poll(() => received).toBe(rounds * 50_000);
      await expect.poll(() => [admitted.drains > 0, transport.congested, transport.backlogBytes]).toEqual([true, false, 0]);
      transport.pause();
      for (let n = 0; n < 100; n++) webSocket.send(Buffer.alloc(50_000));
      transport.write(Buffer.from('goodbye'));
      transport.end();
      transport.resume();
      expect((await once(webSocket, 'close'))[0]).toBe(1000);
      expect(last).toBe('goodbye');
      await expect.poll(() => admitted.closed).toBe(true);
      if (door === 'wss') expect([transport.door, transport.certificate]).toEqual(['wss', undefined]);
    },
  );

  const device = async (): Promise<{ readonly cert: string; readonly key: string }> => {
    const { certificatePem, privateKeyPem } = await pki.authority.issueDeviceCertificate('page');
    return { cert: certificatePem, key: privateKeyPem };
  };

  it('hands on the certificate shown over wss', async () => {
    await open();
    const webSocket = new WebSocket(`wss://localhost:${doors.ports.wss}/mqtt`, 'mqtt', { ca: pki.caPem, ...(await device()) });
    clients.push(webSocket);
    await once(webSocket, 'open');
    expect((await doors.nth(0)).transport.certificate?.verified).toBe(true);
  });

  it('ends a client that vanishes, and destroys one that does not answer a close', async () => {
    await open();
    const vanishing = await opened();
    const first = await doors.nth(0);
    vanishing.terminate();
    await expect.poll(() => first.closed).toBe(true);
    const deaf = await opened();
    const second = await doors.nth(1);
    deaf.pause();
    second.transport.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(second.closed).toBe(false);
    second.transport.destroy();
    await expect.poll(() => second.closed).toBe(true);
  });

  it('refuses pages of other hosts where everyone is let in', async () => {
    await open({ localPagesOnly: true });
    for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example'])
      expect(await statusOf('/mqtt', 'mqtt', { origin })).toBe(403);
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1:8080', 'http://[::1]:8080'])
      await opened('/mqtt', 'mqtt', { origin });
    await opened();
  });

  it('closes an upgrade that does not come in time', async () => {
    const clock = new FakeClock();
    await open({}, { clock });
    const slow = await RawClient.open(doors.ports.ws);
    slow.socket.write('GET /mqtt HTTP/1.1\r\nHost: x\r\n');
    await expect.poll(() => doors.gateway.counters.sockets).toBe(1);
    clock.advance(10_000);
    await expect.poll(() => slow.ended || slow.closed).toBe(true);
    slow.socket.destroy();
    expect(doors.gateway.counters.refused.deadline).toBe(1);
  });
});
