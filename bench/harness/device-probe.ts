/*
 * A load generator: devices that are connected by their tokens and publish at a steady rate, each PUBACK timed. A process of its own, asked
 * by its arguments (JSON); at the first byte on its standard input it answers with one line of JSON, {@link DeviceProbeResult}, and ends.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

export interface DeviceProbe {
  readonly port: number;
  /** Ids are `{prefix}{number}`. */
  readonly prefix: string;
  /** Of all of them. */
  readonly token: string;
  readonly devices: number;
  /** Messages a second, of all together. */
  readonly rate: number;
}

export interface DeviceProbeResult {
  readonly acknowledged: number;
  /** PUBLISH written until PUBACK, ms, sorted; 1 in many is kept. */
  readonly latenciesMs: readonly number[];
  readonly worstMs: number;
}

const probe = JSON.parse(process.argv[2] ?? '{}') as DeviceProbe;
const topics = new TopicCache(16);
const latencies: number[] = [];
const devices: Device[] = [];

class Device {
  readonly #socket: Socket;
  readonly #topic: string;
  readonly #sentMs = new Map<number, number>();
  #packetId = 0;

  constructor(socket: Socket, id: string) {
    this.#socket = socket;
    this.#topic = `telemetry/${id}`;
    const decoder = new PacketDecoder({ maxPacketBytes: 65_536, from: 'server', topics, version: 4 });
    socket.on('data', (chunk: Buffer) => {
      decoder.feed(chunk);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet.type !== 'puback') continue;
        latencies.push(performance.now() - (this.#sentMs.get(packet.packetId) ?? 0));
        this.#sentMs.delete(packet.packetId);
      }
    });
    socket.on('close', () => {
      process.stderr.write('a device was disconnected\n');
      process.exit(1);
    });
  }

  publish(): void {
    this.#packetId = (this.#packetId % 65_535) + 1;
    this.#sentMs.set(this.#packetId, performance.now());
    const payload = Buffer.from('{"temperature":21.5}');
    this.#socket.write(encodePacket({ type: 'publish', topic: this.#topic, payload, qos: 1, packetId: this.#packetId }, 4));
  }
}

for (let n = 0; n < probe.devices; n++) {
  const id = `${probe.prefix}${n}`;
  const socket = connect(probe.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const packet = {
    type: 'connect',
    version: 4,
    clientId: id,
    cleanStart: true,
    keepAliveSec: 0,
    will: undefined,
    properties: {},
  } as const;
  socket.write(encodePacket({ ...packet, username: id, password: Buffer.from(probe.token) }, 4));
  const [connack] = (await once(socket, 'data')) as [Buffer];
  if (connack[3] !== 0) throw new Error(`device ${id} was refused: ${connack[3] ?? ''}`);
  devices.push(new Device(socket, id));
}

let sent = 0;
const startedMs = performance.now();
setInterval(() => {
  const due = ((performance.now() - startedMs) / 1_000) * probe.rate;
  for (; sent < due; sent++) devices[sent % devices.length]?.publish();
}, 1);
process.stdout.write('ready\n');
await once(process.stdin, 'data');
latencies.sort((a, b) => a - b);
const every = Math.ceil(latencies.length / 20_000);
const result: DeviceProbeResult = {
  acknowledged: latencies.length,
  latenciesMs: latencies.filter((_, i) => i % every === 0),
  worstMs: latencies.at(-1) ?? 0,
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
