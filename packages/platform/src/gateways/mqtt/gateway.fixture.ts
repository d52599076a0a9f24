import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { FakeIntake, PERMISSIVE } from '../../broker/broker.fixture.ts';
import { Broker, type BrokerOptions } from '../../broker/broker.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { FREE } from './doors.fixture.ts';
import { type DoorPorts, type DoorSettings, MqttGateway } from './mqtt-gateway.ts';

export interface TestGateway extends AsyncDisposable {
  readonly broker: Broker;
  readonly intake: FakeIntake;
  readonly gateway: MqttGateway;
  readonly ports: DoorPorts;
  /** Of TCP. */
  readonly port: number;
  /** As a thread stops: the doors first, then the broker. */
  close(): Promise<void>;
}

/** A broker behind doors on free ports of the loopback interface; TCP alone, if not said otherwise. */
export async function openTestGateway({
  doors,
  ...options
}: Partial<BrokerOptions> & { readonly clock?: Clock; readonly doors?: DoorSettings } = {}): Promise<TestGateway> {
  const intake = new FakeIntake();
  const broker = new Broker({
    authorizer: PERMISSIVE,
    intake,
    clock: systemClock,
    logLines: silentLogLines,
    newClientId: () => `made-${Math.random()}`,
    ...options,
  });
  const gateway = new MqttGateway({
    accept: (transport) => broker.accept(transport),
    doors: doors ?? { tcp: FREE },
    reusePort: false,
    maxSockets: 1_000,
    maxPacketBytes: 1_048_576,
    clock: options.clock ?? systemClock,
    logLines: silentLogLines,
  });
  broker.start();
  const ports = await gateway.start();
  const close = async (): Promise<void> => {
    await gateway.close();
    await broker.close();
  };
  return { broker, intake, gateway, ports, port: ports.tcp ?? 0, close, [Symbol.asyncDispose]: close };
}

/** A client on a real socket that says what came, in a line each. */
export class SocketClient {
  readonly socket: Socket;
  readonly #version: ProtocolVersion;
  readonly #decoder: PacketDecoder;
  readonly #got: string[] = [];
  #ended = false;
  #onNews: () => void = () => {};

  constructor(port: number, version: ProtocolVersion) {
    this.#version = version;
    this.#decoder = new PacketDecoder({ maxPacketBytes: 1e8, from: 'server', topics: new TopicCache(100), version });
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk) => this.#read(chunk));
    this.socket.on('end', () => this.#end('end'));
    this.socket.on('error', (error) => this.#end(`error ${'code' in error ? String(error.code) : ''}`));
  }

  send(...packets: readonly OutgoingPacket[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => encodePacket(packet, this.#version))));
  }

  /** Waits for as many lines as are expected, or for the end, and takes them. */
  async take(count: number, deadlineMs = 30_000): Promise<string[]> {
    const signal = AbortSignal.timeout(deadlineMs);
    while (this.#got.length < count && !this.#ended && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onNews = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#got.splice(0, count);
  }

  /** All lines up to the end of the stream, which is the last. */
  async toEnd(): Promise<string[]> {
    return await this.take(Infinity);
  }

  async close(): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }

  #read(chunk: Uint8Array): void {
    this.#decoder.feed(chunk);
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
      if (packet.type === 'publish') {
        this.#got.push(`publish ${packet.topic.name} ${Buffer.from(packet.data.subarray(packet.start, packet.end)).toString()}`);
      } else if ('reasonCode' in packet) this.#got.push(`${packet.type} ${packet.reasonCode}`);
      else this.#got.push(packet.type);
    }
    this.#onNews();
  }

  #end(line: string): void {
    if (!this.#ended) this.#got.push(line);
    this.#ended = true;
    this.#onNews();
  }
}
