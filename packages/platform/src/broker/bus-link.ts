import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { writePublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import type { Bus, BusListener, PacketUse, PeerId } from '../bus/bus.ts';
import type { BrokerCore } from './broker-core.ts';
import { copyBytes } from './copy-bytes.ts';
import { Message } from './message.ts';
import type { Subscriber } from './subscriber.ts';
import type { SubscriptionOptions } from './topic-trie.ts';

/** What the link asks of the broker's sessions. */
export interface SessionCloser {
  /** A session of this key was opened in another thread. */
  takeOver(key: string, stamp: number): void;
  disconnectPrincipal(principalId: string): number;
}

/**
 * The broker's end of the bus. The other threads stand in the subscription trie like sessions, each with the filters it announced:
 * a message crosses where it matches one, and a publish that nobody elsewhere wants costs nothing.
 */
export class BusLink implements BusListener {
  readonly #core: BrokerCore;
  readonly #bus: Bus;
  readonly #sessions: SessionCloser;
  readonly #peers = new Map<PeerId, RemotePeer>();
  /** How many sessions of this thread have a subscription to the filter. */
  readonly #interests = new Map<string, number>();

  constructor(core: BrokerCore, bus: Bus, sessions: SessionCloser) {
    this.#core = core;
    this.#bus = bus;
    this.#sessions = sessions;
    bus.attach(this);
  }

  get saturated(): boolean {
    return this.#bus.saturated;
  }

  subscribed(filter: string): void {
    const count = this.#interests.get(filter) ?? 0;
    this.#interests.set(filter, count + 1);
    if (count === 0) this.#bus.announce(filter, true);
  }

  /** See Bus. */
  async settled(): Promise<void> {
    await this.#bus.settled();
  }

  unsubscribed(filter: string): void {
    const count = this.#interests.get(filter) ?? 0;
    if (count > 1) this.#interests.set(filter, count - 1);
    else if (this.#interests.delete(filter)) this.#bus.announce(filter, false);
  }

  /** Every thread keeps all retained messages. */
  replicate(message: Message): void {
    if (!this.#bus.sendAll('retain', packetOf(message))) this.#core.counters.dropped['bus-full']++;
  }

  openSession(key: string): number {
    return this.#bus.openSession(key);
  }

  onInterest(peer: PeerId, filter: string, wanted: boolean): void {
    let remote = this.#peers.get(peer);
    if (remote === undefined) {
      remote = new RemotePeer(this.#bus, peer, () => this.#core.counters.dropped['bus-full']++);
      this.#peers.set(peer, remote);
    }
    if (wanted) {
      remote.filters.add(filter);
      this.#core.subscriptions.set(filter, remote, AS_PUBLISHED);
    } else if (remote.filters.delete(filter)) this.#core.subscriptions.delete(filter, remote);
  }

  onPeerGone(peer: PeerId): void {
    const remote = this.#peers.get(peer);
    if (remote === undefined) return;
    for (const filter of remote.filters) this.#core.subscriptions.delete(filter, remote);
    this.#peers.delete(peer);
  }

  onPacket(use: PacketUse, bytes: Uint8Array): void {
    const message = messageOf(bytes, this.#core);
    if (use === 'deliver') this.#core.deliverHere(message);
    else if (message.payload.length === 0) this.#core.retained.remove(message.topic.name);
    else if (!this.#core.retained.put(message)) this.#core.counters.dropped['retained-full']++;
  }

  onSessionOpened(key: string, stamp: number): void {
    this.#sessions.takeOver(key, stamp);
  }

  onDisconnectPrincipal(principalId: string): void {
    this.#sessions.disconnectPrincipal(principalId);
  }

  onDrained(): void {
    this.#core.resumeReading();
  }
}

class RemotePeer implements Subscriber {
  readonly key = '';
  readonly remote = true;
  readonly filters = new Set<string>();
  readonly #bus: Bus;
  readonly #peer: PeerId;
  readonly #onDrop: () => void;

  constructor(bus: Bus, peer: PeerId, onDrop: () => void) {
    this.#bus = bus;
    this.#peer = peer;
    this.#onDrop = onDrop;
  }

  deliver(message: Message): void {
    if (!this.#bus.send(this.#peer, 'deliver', packetOf(message))) this.#onDrop();
  }
}

/** A peer gets the message as it was published; its own subscriptions say what they want of it. */
const AS_PUBLISHED: SubscriptionOptions = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 };

/** The message as an MQTT 5.0 PUBLISH. A packet id must be there at QoS 1 and 2, and has no meaning. */
function packetOf(message: Message): Uint8Array {
  const encoded = message.encoding(5, message.qos, message.retain, undefined);
  if (message.qos === 0) return encoded.bytes;
  const bytes = new Uint8Array(encoded.bytes.length);
  writePublish(bytes, 0, encoded, 1);
  return bytes;
}

function messageOf(bytes: Uint8Array, core: BrokerCore): Message {
  const decoder = new PacketDecoder({ maxPacketBytes: MAX_PACKET_BYTES, from: 'server', topics: core.topics, version: 5 });
  decoder.feed(bytes);
  const packet = decoder.next();
  if (packet?.type !== 'publish') throw new TypeError('a packet on the bus is a PUBLISH');
  const payload = copyBytes(packet.data, packet.start, packet.end);
  return new Message(packet.topic, payload, packet, packet.properties, core.clock.monotonicMs());
}

/** The largest that MQTT knows: the publisher's own limit was checked where it came in. */
const MAX_PACKET_BYTES = 268_435_460;
