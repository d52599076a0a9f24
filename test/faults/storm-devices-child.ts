import { connect as openSocket, type Socket } from 'node:net';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket, Packet } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import type { StormOrder, StormState } from './storm-orders.ts';

/*
 * A program of its own: many devices with persistent sessions that connect, and connect again after a pause of their own when
 * they are refused or cut off. It takes orders, and tells its state, over the channel to its parent.
 */

/** The first pause; doubled with each attempt that fails, with as much again of chance. */
const RETRY_MIN_MS = 300;
const RETRY_MAX_MS = 2_400;
const CONNECT_DEADLINE_MS = 15_000;

const topics = new TopicCache(1_024);
let port = 0;
/** Whether those that are cut off come back. */
let comesBack = true;
const devices: Device[] = [];
const counts = { present: 0, absent: 0, busy: 0, refused: 0, failed: 0, acceptedBySecond: new Map<number, number>() };

class Device {
  readonly #index: number;
  readonly #isFive: boolean;
  #socket: Socket | undefined;
  #hasSubscribed = false;
  /** Its last CONNECT. */
  #sentMs = 0;
  /** Attempts since it was let in last. */
  #failures = 0;
  online = false;
  /** Texts of the messages to its own topic. */
  readonly heard: string[] = [];

  constructor(index: number) {
    this.#index = index;
    this.#isFive = index % 2 === 0;
  }

  connect(): void {
    const version = this.#isFive ? 5 : 4;
    const socket = openSocket({ port, host: '127.0.0.1', noDelay: true });
    const decoder = new PacketDecoder({ maxPacketBytes: 65_536, from: 'server', topics, version });
    this.#socket = socket;
    socket.setTimeout(CONNECT_DEADLINE_MS, () => socket.destroy());
    socket.on('connect', () => {
      this.#sentMs = performance.now();
      this.#send({
        type: 'connect',
        version,
        clientId: `storm-${this.#index}`,
        cleanStart: false,
        keepAliveSec: 0,
        username: undefined,
        password: undefined,
        will: undefined,
        properties: this.#isFive ? { sessionExpirySec: 3_600 } : {},
      });
    });
    socket.on('data', (chunk) => {
      decoder.feed(chunk);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) this.#take(packet);
    });
    socket.on('error', () => (counts.failed += 1));
    socket.on('close', () => {
      this.online = false;
      if (!comesBack) return;
      const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures);
      this.#failures += 1;
      setTimeout(() => this.connect(), pauseMs * (1 + Math.random()));
    });
  }

  leave(): void {
    this.#socket?.destroy();
  }

  #send(packet: OutgoingPacket): void {
    this.#socket?.write(encodePacket(packet, this.#isFive ? 5 : 4));
  }

  #take(packet: Packet): void {
    switch (packet.type) {
      case 'connack':
        this.#letIn(packet.reasonCode, packet.sessionPresent);
        return;
      case 'suback':
        this.#hasSubscribed = true;
        this.online = true;
        return;
      case 'publish':
        this.heard.push(Buffer.from(packet.data.subarray(packet.start, packet.end)).toString());
        if (packet.qos === 1) this.#send({ type: 'puback', packetId: packet.packetId, reasonCode: 0 });
        return;
      default:
    }
  }

  #letIn(code: number, sessionPresent: boolean): void {
    if (code !== 0) {
      // Server busy; 3.1.1 says it with Server unavailable.
      if (code === (this.#isFive ? 0x89 : 3)) counts.busy += 1;
      else counts.refused += 1;
      this.#socket?.destroy();
      return;
    }
    this.#socket?.setTimeout(0);
    this.#failures = 0;
    // Only what was asked and answered in one second was surely let in in it.
    const second = Math.floor(performance.now() / 1_000);
    if (second === Math.floor(this.#sentMs / 1_000))
      counts.acceptedBySecond.set(second, (counts.acceptedBySecond.get(second) ?? 0) + 1);
    if (sessionPresent) counts.present += 1;
    else counts.absent += 1;
    if (this.#hasSubscribed) {
      this.online = true;
      return;
    }
    this.#send({
      type: 'subscribe',
      packetId: 1,
      subscriptions: [{ filter: `storm/${this.#index}`, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    });
  }
}

function stateOf(): StormState {
  return {
    online: devices.filter(({ online }) => online).length,
    heard: devices.filter(({ heard }) => heard.length > 0).length,
    heardTwice: devices.filter(({ heard }) => new Set(heard).size !== heard.length).length,
    messages: devices.reduce((sum, { heard }) => sum + new Set(heard).size, 0),
    present: counts.present,
    absent: counts.absent,
    busy: counts.busy,
    refused: counts.refused,
    acceptedBySecond: [...counts.acceptedBySecond].toSorted(([a], [b]) => a - b).map(([, count]) => count),
  };
}

process.on('message', (order: StormOrder) => {
  switch (order.kind) {
    case 'connect':
      port = order.port;
      comesBack = true;
      Object.assign(counts, { present: 0, absent: 0, busy: 0, refused: 0, failed: 0, acceptedBySecond: new Map() });
      for (let index = devices.length; index < order.devices; index += 1) devices.push(new Device(index));
      for (const device of devices) if (!device.online) device.connect();
      return;
    case 'await-cut':
      // From now on what counts is the return; those that are cut off try again by themselves.
      Object.assign(counts, { present: 0, absent: 0, busy: 0, refused: 0, failed: 0, acceptedBySecond: new Map() });
      process.send?.(stateOf());
      return;
    case 'leave':
      comesBack = false;
      for (const device of devices) device.leave();
      return;
    case 'state':
      process.send?.(stateOf());
  }
});
process.on('disconnect', () => process.exit(0));
