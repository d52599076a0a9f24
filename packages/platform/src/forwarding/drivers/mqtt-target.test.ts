import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Delivery, OutgoingRecord } from '../delivery.ts';
import { MqttTarget } from './mqtt-target.ts';

const [CONNECT, PUBLISH] = [1, 3];
const MAX_PACKET = 1_000;

/** A broker that takes packets of so many bytes, says so, and ends connections that send larger ones: MQTT 5.0 section 3.2.2.3.6. */
class SmallBroker implements AsyncDisposable {
  readonly topics: string[] = [];
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let size = packetSize(bytes); size !== undefined && size <= bytes.length; size = packetSize(bytes)) {
        this.#take(socket, bytes.subarray(0, size));
        bytes = bytes.subarray(size);
      }
    });
  }

  #take(socket: Socket, packet: Buffer): void {
    const type = packet[0]! >> 4;
    if (type === CONNECT) {
      // CONNACK: accepted, Maximum Packet Size (39).
      const properties = Buffer.from([39, 0, 0, MAX_PACKET >> 8, MAX_PACKET & 0xff]);
      socket.write(Buffer.from([0x20, 3 + properties.length, 0, 0, properties.length, ...properties]));
    } else if (type === PUBLISH) {
      if (packet.length > MAX_PACKET) {
        socket.destroy();
        return;
      }
      const start = packet[1]! < 0x80 ? 2 : 3;
      const topicEnd = start + 2 + packet.readUInt16BE(start);
      this.topics.push(packet.toString('utf8', start + 2, topicEnd));
      socket.write(Buffer.from([0x40, 2, packet[topicEnd]!, packet[topicEnd + 1]!]));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Of the packet that the bytes begin with; undefined where its head is not there yet. */
function packetSize(bytes: Buffer): number | undefined {
  let length = 0;
  for (let at = 1; at < Math.min(5, bytes.length); at++) {
    length += (bytes[at]! & 0x7f) * 128 ** (at - 1);
    if (bytes[at]! < 0x80) return at + 1 + length;
  }
  return undefined;
}

function deliveryOf(...payloads: readonly number[]): Delivery {
  const records = payloads.map((bytes, offset): OutgoingRecord => ({
    partition: 0,
    offset,
    arrivalMs: 0,
    device: 'a',
    topic: `telemetry/${offset}`,
    payload: new Uint8Array(bytes),
  }));
  return { key: 'k', partition: 0, nextOffset: records.length, records, sizeBytes: 0, filtered: 0, undecodable: 0 };
}

let broker: SmallBroker;
let target: MqttTarget;
beforeEach(async () => {
  broker = new SmallBroker();
  target = new MqttTarget({ forwarder: 'f', settings: { kind: 'mqtt', url: await broker.listen() }, secrets: {} });
});
afterEach(async () => {
  await target[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

test('what is too large for the broker is refused by itself: it does not keep all others from it for ever', async () => {
  const signal = AbortSignal.timeout(30_000);
  const sent = target.deliver(deliveryOf(10, 2_000, 20, 5_000), signal);
  await expect(sent).rejects.toMatchObject({ kind: 'refused', offsets: new Set([1, 3]) });
  expect(broker.topics).toEqual(['telemetry/0', 'telemetry/2']);
  await expect(target.deliver(deliveryOf(2_000), signal)).rejects.toMatchObject({ kind: 'refused', offsets: new Set([0]) });
  // As large as a packet may be, and one byte more.
  const [head, topic] = [1 + 2, 2 + 'telemetry/0'.length];
  const largest = MAX_PACKET - head - topic - 2 - 1;
  await target.deliver(deliveryOf(largest), signal);
  await expect(target.deliver(deliveryOf(largest + 1), signal)).rejects.toMatchObject({ kind: 'refused' });
  expect(broker.connections).toBe(1);
});
