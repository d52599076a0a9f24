import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as openSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as openTls } from 'node:tls';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { Packet } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const CONNECT = (clientId: string): Uint8Array =>
  encodePacket(
    {
      type: 'connect',
      version: 5,
      clientId,
      cleanStart: true,
      keepAliveSec: 0,
      username: undefined,
      password: undefined,
      will: undefined,
      properties: {},
    },
    5,
  );
/** A type of packet with flags that it does not have. */
const MALFORMED = Uint8Array.of(0xc1, 0);

describe('the last words of the server', () => {
  let selsyn: Selsyn;
  beforeAll(async () => {
    selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=1'] });
  });
  afterAll(async () => {
    await using _server = selsyn;
  });

  const trust = () => ({ ca: readFileSync(selsyn.caFile), servername: 'localhost' });
  const ways: Record<string, () => Promise<LateReader>> = {
    TCP: async () => ofSocket(openSocket({ port: selsyn.mqttPort, host: '127.0.0.1' })),
    TLS: async () => ofSocket(openTls({ port: Number(new URL(selsyn.mqttsUrl).port), host: '127.0.0.1', ...trust() })),
    WebSocket: async () => await ofWebSocket(new WebSocket(selsyn.wsUrl, 'mqtt')),
    'WebSocket and TLS': async () => await ofWebSocket(new WebSocket(selsyn.wssUrl, 'mqtt', trust())),
  };

  for (const [name, open] of Object.entries(ways)) {
    it(`reach a client over ${name} that has sent much more, and reads late`, async () => {
      for (let round = 0; round < 5; round += 1) {
        using client = await open();
        const { packets } = client;
        client.send(CONNECT(`late-${name}-${round}`));
        await eventually(async () => packets.find(({ type }) => type === 'connack'));
        client.pause();
        client.send(MALFORMED);
        // What the server has not read when it closes would take its last words with it.
        for (let i = 0; i < 64; i += 1) client.send(Buffer.alloc(65_536, 0x30));
        await pause(200);
        expect(packets.map(({ type }) => type)).toEqual(['connack']);
        client.resume();
        expect(await eventually(async () => packets.find(({ type }) => type === 'disconnect'))).toMatchObject({
          reasonCode: 0x81,
        });
      }
    });
  }

  it.skipIf(process.platform !== 'linux')('cannot reach one whose cable was cut: TCP asks whether it is there', async () => {
    using stream = disposable(openSocket({ port: selsyn.mqttPort, host: '127.0.0.1' }));
    await once(stream.duplex, 'connect');
    stream.duplex.write(CONNECT('silent'));
    await once(stream.duplex, 'data');
    const port = selsyn.mqttPort.toString(16).toUpperCase().padStart(4, '0');
    // Of each established connection of the server: `02` is the timer of keep-alive probes (proc_net_tcp in the Linux documentation).
    const timers = await eventually(async () => {
      const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n'));
      const found = lines
        .map((line) => line.trim().split(/\s+/))
        .filter(([, local, , state]) => local?.endsWith(`:${port}`) === true && state === '01')
        .map((columns) => columns[5]?.slice(0, 2));
      return found.length > 0 && found.every((timer) => timer === '02') ? found : undefined;
    });
    expect(timers.length).toBeGreaterThan(0);
  });
});

function disposable(duplex: Duplex): { readonly duplex: Duplex } & Disposable {
  duplex.on('error', () => {});
  return { duplex, [Symbol.dispose]: () => void duplex.destroy() };
}

/** A client that reads only when it is told to: what it does not read stays in its socket. */
interface LateReader extends Disposable {
  /** What it has read; it grows. */
  readonly packets: readonly Packet[];
  send(bytes: Uint8Array): void;
  pause(): void;
  resume(): void;
}

function ofSocket(socket: Duplex): LateReader {
  const stream = disposable(socket);
  const { packets, read } = packetReader();
  socket.on('data', read);
  return {
    packets,
    send: (bytes) => void socket.write(bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

/** Not `createWebSocketStream`: a write after the server's Close frame destroys that, and what it has received and not read. */
async function ofWebSocket(webSocket: WebSocket): Promise<LateReader> {
  const { packets, read } = packetReader();
  webSocket.on('error', () => {});
  webSocket.on('message', read);
  await once(webSocket, 'open');
  return {
    packets,
    send: (bytes) => webSocket.send(bytes),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    [Symbol.dispose]: () => webSocket.terminate(),
  };
}

function packetReader(): { readonly packets: readonly Packet[]; readonly read: (chunk: Buffer) => void } {
  const packets: Packet[] = [];
  const decoder = new PacketDecoder({ maxPacketBytes: 1e6, from: 'server', topics: new TopicCache(8), version: 5 });
  const read = (chunk: Buffer): void => {
    decoder.feed(chunk);
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
  };
  return { packets, read };
}
