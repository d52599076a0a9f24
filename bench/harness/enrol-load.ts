/*
 * A load generator: enrols devices by claim over mutual TLS, as AWS IoT has it. A process of its own, asked by its arguments (JSON) and
 * answering with one line of JSON: {@link EnrolLoadResult}. The requests are signed before the clock starts.
 */
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { connect, type TLSSocket } from 'node:tls';
import { makeCsr } from '@selsyn/platform/provisioning/csr.fixture.ts';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

export interface EnrolLoad {
  readonly port: number;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly template: string;
  /** Serial numbers are `{prefix}{number}`, from 0. */
  readonly prefix: string;
  readonly devices: number;
  /** Claim connections, each of which enrols one device after the other. */
  readonly stations: number;
  /** Devices that one connection enrols before it makes way for a new one; 1: each unit has its own handshake. */
  readonly perConnection: number;
}

export interface EnrolLoadResult {
  readonly enrolled: number;
  readonly seconds: number;
  /** Of both requests of a device, without its handshake, ms, sorted: 1 in 100 is kept. */
  readonly latenciesMs: readonly number[];
  readonly firstRefusal: string | undefined;
  readonly refused: number;
}

const CREATE = '$aws/certificates/create-from-csr/json';
const DEADLINE_MS = 60_000;

const load = JSON.parse(process.argv[2] ?? '{}') as EnrolLoad;
const provision = `$aws/provisioning-templates/${load.template}/provision/json`;
const tls = { ca: readFileSync(load.ca), cert: readFileSync(load.certificate), key: readFileSync(load.key) };
// Keys may be made anew or shared: what is measured is the server, and it looks at each request by itself.
const keys = Array.from({ length: Math.min(load.devices, 1_000) }, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const requests = Array.from({ length: load.devices }, (_, n) => {
  const pair = keys[n % keys.length];
  if (pair === undefined) throw new Error('there are no keys');
  return JSON.stringify({ certificateSigningRequest: makeCsr(pair, 'whatever') });
});

/** One connection with the claim. */
class Station {
  readonly #socket: TLSSocket;
  readonly #decoder = new PacketDecoder({ maxPacketBytes: 65_536, from: 'server', topics: new TopicCache(16), version: 4 });
  #waiting: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;
  #acknowledged: (() => void) | undefined;
  #packetId = 0;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
  }

  static async open(clientId: string): Promise<Station> {
    const socket = connect({ port: load.port, host: '127.0.0.1', servername: 'localhost', ...tls });
    await once(socket, 'secureConnect');
    const station = new Station(socket);
    const connectPacket = { type: 'connect', version: 4, clientId, cleanStart: true, keepAliveSec: 0, properties: {} } as const;
    await station.#acked({ ...connectPacket, username: undefined, password: undefined, will: undefined });
    const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const filters = [CREATE, provision].flatMap((topic) => [`${topic}/accepted`, `${topic}/rejected`]);
    await station.#acked({ type: 'subscribe', packetId: 1, subscriptions: filters.map((filter) => ({ filter, ...options })) });
    return station;
  }

  /** The payload of the answer. */
  async ask(topic: string, text: string): Promise<string> {
    this.#packetId = (this.#packetId % 60_000) + 2;
    const answer = new Promise<string>((resolve, reject) => (this.#waiting = { resolve, reject }));
    this.#socket.write(encodePacket({ type: 'publish', topic, payload: Buffer.from(text), qos: 1, packetId: this.#packetId }, 4));
    const deadline = setTimeout(() => this.#waiting?.reject(new Error(`no answer in ${DEADLINE_MS} ms`)), DEADLINE_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(deadline);
    }
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.end(encodePacket({ type: 'disconnect', reasonCode: 0 }, 4));
  }

  async #acked(packet: OutgoingPacket): Promise<void> {
    const done = new Promise<void>((resolve) => (this.#acknowledged = resolve));
    this.#socket.write(encodePacket(packet, 4));
    await done;
  }

  #take(chunk: Buffer): void {
    this.#decoder.feed(chunk);
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
      if (packet.type === 'connack' || packet.type === 'suback') this.#acknowledged?.();
      if (packet.type !== 'publish') continue;
      const text = Buffer.from(packet.data.subarray(packet.start, packet.end)).toString();
      if (packet.qos === 1) this.#socket.write(encodePacket({ type: 'puback', packetId: packet.packetId, reasonCode: 0 }, 4));
      if (packet.topic.name.endsWith('/accepted')) this.#waiting?.resolve(text);
      else this.#waiting?.reject(new Error(text));
    }
  }
}

let next = 0;
let enrolled = 0;
let refused = 0;
let firstRefusal: string | undefined;
const latencies: number[] = [];
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const startedMs = performance.now();
await Promise.all(Array.from({ length: load.stations }, async (_, n) => await work(n)));
const seconds = (performance.now() - startedMs) / 1_000;
const latenciesMs = latencies.sort((a, b) => a - b).filter((_, i) => i % Math.ceil(latencies.length / 10_000) === 0);
process.stdout.write(
  `${JSON.stringify({ enrolled, refused, firstRefusal, seconds, latenciesMs } satisfies EnrolLoadResult)}\n`,
  () => process.exit(0),
);

async function work(station: number): Promise<void> {
  while (next < load.devices) {
    const client = await Station.open(`station-${station}`);
    for (let count = 0; count < load.perConnection && next < load.devices; count++) {
      const number = next++;
      const beganMs = performance.now();
      try {
        const created = await client.ask(CREATE, requests[number] ?? '');
        const { certificateOwnershipToken } = JSON.parse(created) as { certificateOwnershipToken: string };
        const parameters = { SerialNumber: `${load.prefix}${number}` };
        await client.ask(provision, JSON.stringify({ certificateOwnershipToken, parameters }));
        enrolled++;
        latencies.push(performance.now() - beganMs);
      } catch (error) {
        refused++;
        firstRefusal ??= String(error);
      }
    }
    client.close();
  }
}
