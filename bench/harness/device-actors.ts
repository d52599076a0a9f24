/*
 * Devices that do as they are told: they answer commands, do jobs, and report what they are desired to be. A process of its own, asked by
 * its arguments (JSON); at the first byte on its standard input it answers with one line of JSON, {@link DeviceActorsResult}, and ends.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { Packet } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

export interface DeviceActors {
  readonly port: number;
  /** Ids are `{prefix}{number}`; of a server that lets everyone in. */
  readonly prefix: string;
  readonly devices: number;
  readonly role: 'commands' | 'jobs' | 'deltas';
}

export interface DeviceActorsResult {
  /** Commands answered, jobs done, deltas that came. */
  readonly done: number;
  /** From the first to the last of them, s. */
  readonly seconds: number;
}

const { port, prefix, devices, role } = JSON.parse(process.argv[2] ?? '{}') as DeviceActors;
const topics = new TopicCache(64);
let done = 0;
let firstMs = 0;
let lastMs = 0;

function count(): void {
  lastMs = performance.now();
  if (done++ === 0) firstMs = lastMs;
}

class Actor {
  readonly #socket: Socket;
  readonly #id: string;
  #packetId = 0;

  constructor(socket: Socket, id: string) {
    this.#socket = socket;
    this.#id = id;
    const decoder = new PacketDecoder({ maxPacketBytes: 65_536, from: 'server', topics, version: 4 });
    socket.on('data', (chunk: Buffer) => {
      decoder.feed(chunk);
      socket.cork();
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) this.#take(packet);
      socket.uncork();
    });
    socket.on('close', () => {
      process.stderr.write('a device was disconnected\n');
      process.exit(1);
    });
  }

  subscribe(): void {
    const subscriptions = filtersOf(this.#id).map((filter) => ({
      filter,
      qos: 1 as const,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0 as const,
    }));
    this.#socket.write(encodePacket({ type: 'subscribe', packetId: 1, subscriptions }, 4));
  }

  #take(packet: Packet): void {
    if (packet.type !== 'publish') return;
    if (packet.qos === 1) this.#socket.write(encodePacket({ type: 'puback', packetId: packet.packetId, reasonCode: 0 }, 4));
    const topic = packet.topic?.name ?? '';
    const text = Buffer.from(packet.data.buffer, packet.data.byteOffset + packet.start, packet.end - packet.start).toString();
    if (role === 'commands') {
      count();
      this.#publish(`${topic}/answer`, '{"status":"succeeded","result":{"ok":true}}');
    } else if (role === 'deltas') count();
    else if (topic.endsWith('/notify-next') || topic.endsWith('/start-next/accepted')) this.#doJob(topic, text);
    else if (topic.endsWith('/update/accepted')) count();
  }

  #doJob(topic: string, text: string): void {
    const { execution } = JSON.parse(text) as { readonly execution?: { readonly jobId?: string } };
    if (execution?.jobId === undefined) return;
    const jobs = `$aws/things/${this.#id}/jobs`;
    if (topic.endsWith('/notify-next')) this.#publish(`${jobs}/start-next`, '{}');
    else this.#publish(`${jobs}/${execution.jobId}/update`, '{"status":"SUCCEEDED"}');
  }

  #publish(topic: string, text: string): void {
    this.#packetId = (this.#packetId % 65_535) + 1;
    const payload = Buffer.from(text);
    this.#socket.write(encodePacket({ type: 'publish', topic, payload, qos: 1, packetId: this.#packetId }, 4));
  }
}

function filtersOf(id: string): readonly string[] {
  if (role === 'commands') return [`devices/${id}/commands/+`];
  if (role === 'deltas') return [`$aws/things/${id}/shadow/update/delta`];
  const jobs = `$aws/things/${id}/jobs`;
  return [`${jobs}/notify-next`, `${jobs}/start-next/accepted`, `${jobs}/+/update/accepted`];
}

async function open(id: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const packet = {
    type: 'connect',
    version: 4,
    clientId: id,
    cleanStart: true,
    keepAliveSec: 0,
    username: undefined,
    password: undefined,
    will: undefined,
    properties: {},
  } as const;
  socket.write(encodePacket(packet, 4));
  const [connack] = (await once(socket, 'data')) as [Buffer];
  if (connack[3] !== 0) throw new Error(`device ${id} was refused: ${connack[3] ?? ''}`);
  const actor = new Actor(socket, id);
  const subscribed = once(socket, 'data');
  actor.subscribe();
  await subscribed;
}

const OPENING = 50;
for (let n = 0; n < devices; n += OPENING) {
  const some = Array.from({ length: Math.min(OPENING, devices - n) }, (_, index) => `${prefix}${n + index}`);
  await Promise.all(some.map(async (id) => await open(id)));
}
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const result: DeviceActorsResult = { done, seconds: (lastMs - firstMs) / 1_000 };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
