import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Delivery } from '../delivery.ts';
import { MqttTarget } from './mqtt-target.ts';

const [CONNECT, PUBLISH, PINGREQ] = [1, 3, 12];

/** What a connection has published and the broker has not acknowledged, by topic. */
interface Connection {
  readonly socket: Socket;
  readonly waiting: Map<string, () => void>;
}

/** A broker of MQTT 3.1.1 that acknowledges when the test says so. */
class SlowBroker implements AsyncDisposable {
  readonly taken: string[] = [];
  onConnect: (connection: Connection) => void = () => undefined;
  onPublish: (topic: string, connection: Connection) => void = (topic, { waiting }) => waiting.get(topic)!();
  readonly #connections = new Set<Connection>();
  readonly #server: Server = createServer((socket) => this.#serve({ socket, waiting: new Map() }));

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #serve(connection: Connection): void {
    const { socket } = connection;
    this.#connections.add(connection);
    socket.on('error', () => undefined);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      // Packets of these tests are short: one byte says their length.
      while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]!) {
        this.#take(connection, bytes.subarray(0, 2 + bytes[1]!));
        bytes = bytes.subarray(2 + bytes[1]!);
      }
    });
  }

  #take(connection: Connection, packet: Buffer): void {
    const { socket, waiting } = connection;
    const type = packet[0]! >> 4;
    if (type === CONNECT) {
      socket.write(Buffer.from([0x20, 2, 0, 0]));
      this.onConnect(connection);
    } else if (type === PINGREQ) socket.write(Buffer.from([0xd0, 0]));
    else if (type === PUBLISH) {
      const end = 4 + packet.readUInt16BE(2);
      const topic = packet.toString('utf8', 4, end);
      const id = [packet[end]!, packet[end + 1]!] as const;
      waiting.set(topic, () => {
        waiting.delete(topic);
        this.taken.push(topic);
        socket.write(Buffer.from([0x40, 2, ...id]));
      });
      this.onPublish(topic, connection);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function deliveryOf(partition: number, topic: string): Delivery {
  const record = { partition, offset: 0, arrivalMs: 0, device: 'a', topic, payload: new Uint8Array(3) };
  return { key: topic, partition, nextOffset: 1, records: [record], sizeBytes: 3, filtered: 0, undecodable: 0 };
}

let broker: SlowBroker;
let target: MqttTarget;
beforeEach(async () => {
  broker = new SlowBroker();
  const settings = { kind: 'mqtt', url: await broker.listen(), version: 4 } as const;
  target = new MqttTarget({ forwarder: 'f', settings, secrets: {} });
});
afterEach(async () => {
  await target[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
});

/** What became of it: undefined where it was taken. */
async function outcomeOf(delivery: Delivery): Promise<unknown> {
  return await target.deliver(delivery, AbortSignal.timeout(20_000)).then(
    () => undefined,
    (error: unknown) => (error as { kind?: string }).kind ?? 'failed',
  );
}

test('no record is to blame where another client takes the session over again and again', async () => {
  // The other one is back as soon as it was sent away, and before anything is acknowledged.
  broker.onPublish = () => undefined;
  broker.onConnect = ({ socket }) => void setTimeout(() => socket.destroy(), 25);
  for (let tries = 0; tries < 6; tries++) expect(await outcomeOf(deliveryOf(0, 't/healthy'))).toBe('failed');
  broker.onConnect = () => undefined;
  broker.onPublish = (topic, { waiting }) => waiting.get(topic)!();
  expect(await outcomeOf(deliveryOf(0, 't/healthy'))).toBeUndefined();
});

test('a record is not blamed for what another partition sends at the same time', async () => {
  const [healthy, poison] = [deliveryOf(0, 't/healthy'), deliveryOf(1, 't/poison')];
  // The broker went away once: the healthy one is a suspect.
  broker.onPublish = (_, { socket }) => socket.destroy();
  expect(await outcomeOf(healthy)).toBe('failed');
  broker.onPublish = (topic, { socket, waiting }) => {
    if (waiting.size === 2) socket.destroy();
    else if (topic === 't/healthy') setTimeout(() => waiting.get(topic)?.(), 50);
    else setTimeout(() => socket.destroy(), 50);
  };
  expect(await Promise.all([outcomeOf(healthy), outcomeOf(poison)])).toEqual(['failed', 'failed']);
  // One at a time, as after each failure.
  expect(await outcomeOf(healthy)).toBeUndefined();
  expect(await outcomeOf(poison)).toBe('refused');
  expect(broker.taken).toEqual(['t/healthy']);
});
