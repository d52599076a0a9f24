import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Bus, BusListener, BusPacket, PacketUse, PeerId } from '../bus/bus.ts';
import { type Slot, slotOf } from '../bus/slot.ts';
import type { MessageMark, SessionNumber } from '../session-store/session-store.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards, type Completion } from './completion.ts';
import { Mark } from './mark.ts';
import type { Message } from './message.ts';
import { packetOf } from './message-packet.ts';
import { RetainedDoubts } from './retained-doubts.ts';
import { clientIdOf } from './session.ts';
import type { Subscriber } from './subscriber.ts';
import type { Match, SubscriptionOptions } from './topic-trie.ts';

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
  /** A thread has gone. */
  #lost = false;

  constructor(core: BrokerCore, bus: Bus, sessions: SessionCloser) {
    this.#core = core;
    this.#bus = bus;
    this.#sessions = sessions;
    core.retained.doubts = new RetainedDoubts(bus, () => core.retained.delivery.doubtsCleared());
    bus.attach(this);
  }

  get self(): PeerId {
    return this.#bus.self;
  }

  get saturated(): boolean {
    return this.#lost || this.#bus.saturated;
  }

  isHome(slot: Slot): boolean {
    return this.#bus.homeOf(slot) === this.#bus.self;
  }

  isHomeOfSession(key: string): boolean {
    return this.isHome(slotOf(clientIdOf(key)));
  }

  subscribed(filter: string): void {
    const count = this.#interests.get(filter) ?? 0;
    this.#interests.set(filter, count + 1);
    if (count === 0) this.#bus.announce(filter, 1);
  }

  unsubscribed(filter: string): void {
    const count = this.#interests.get(filter) ?? 0;
    if (count > 1) this.#interests.set(filter, count - 1);
    else if (this.#interests.delete(filter)) this.#bus.announce(filter, 0);
  }

  /** How many members a shared group has here, for the others to choose by; 0: none. */
  announceGroup(name: string, weight: number): void {
    this.#bus.announce(name, weight);
  }

  /** See Bus. */
  async settled(): Promise<void> {
    await this.#bus.settled();
  }

  /** A QoS 1 or 2 message has reached the peer when the completion hears so. */
  send(peer: PeerId, use: PacketUse, message: Message, group: string, completion: Completion | undefined): void {
    const mark = use === 'retain' ? undefined : completion?.mark;
    mark?.addPeer(peer);
    const packet = { use, bytes: packetOf(message), group, origin: message.origin ?? '', mark };
    const wanted = completion !== undefined && message.qos > 0 ? completion : undefined;
    if (this.#bus.send(peer, packet, wanted)) wanted?.expectElsewhere();
    else {
      this.#core.counters.dropped['bus-full']++;
      completion?.atLeast(ReasonCode.quotaExceeded);
    }
  }

  /** Leaves a retained message to the home thread of its topic. */
  retainAtHome(message: Message, slot: Slot, completion: Completion | undefined): void {
    this.send(this.#bus.homeOf(slot), 'retain', message, '', completion);
  }

  /** Every thread keeps all retained messages. */
  tellRetained(message: Message): void {
    const packet = { use: 'retained', bytes: packetOf(message), group: '', origin: message.origin ?? '' } as const;
    if (!this.#bus.sendAll(packet)) this.#core.counters.dropped['bus-full']++;
  }

  /** Tells the home of its publisher that a message is stored here for this group, or for others. */
  announceMark(mark: MessageMark, group: string): void {
    const { origin, session, packetId } = mark;
    const packet = { use: 'marked', bytes: NO_BYTES, group, origin, mark: { session, packetId, again: false } } as const;
    if (!this.#bus.send(this.#bus.homeOf(slotOf(clientIdOf(origin))), packet)) this.#core.counters.dropped['bus-full']++;
  }

  /** Lets a peer forget a mark; `completion` hears when that is durable. @returns false when it lags too far to be told */
  unmark(peer: PeerId, { origin, session, packetId }: MessageMark, completion: Completion | undefined): boolean {
    const packet = { use: 'unmark', bytes: NO_BYTES, group: '', origin, mark: { session, packetId, again: false } } as const;
    if (!this.#bus.send(peer, packet, completion)) return false;
    completion?.expect();
    return true;
  }

  openSession(key: string): number {
    return this.#bus.openSession(key);
  }

  onInterest(peer: PeerId, filter: string, weight: number): void {
    if (filter.startsWith('$share/')) {
      this.#core.groups.onInterest(peer, filter, weight);
      return;
    }
    let remote = this.#peers.get(peer);
    if (remote === undefined) {
      remote = new RemotePeer(this, peer);
      this.#peers.set(peer, remote);
    }
    if (weight > 0) {
      remote.filters.add(filter);
      this.#core.subscriptions.set(filter, remote, AS_PUBLISHED);
    } else if (remote.filters.delete(filter)) this.#core.subscriptions.delete(filter, remote);
  }

  /**
   * The whole process is about to end. Until then nothing more is taken: what the sessions of that thread should have could not be
   * promised to its publisher.
   */
  onPeerGone(peer: PeerId): void {
    this.#lost = true;
    this.#core.groups.onPeerGone(peer);
    const remote = this.#peers.get(peer);
    if (remote === undefined) return;
    for (const filter of remote.filters) this.#core.subscriptions.delete(filter, remote);
    this.#peers.delete(peer);
  }

  onPacket(packet: BusPacket, answer: ((code: number) => void) | undefined, from: PeerId): void {
    const completion = answer === undefined ? undefined : new Afterwards(answer);
    const mark = markOf(packet);
    if (mark !== undefined && packet.use === 'marked') this.#core.marks.announced(from, mark, packet.group);
    else if (mark !== undefined && packet.use === 'unmark') this.#core.marks.forgetHere(mark, completion);
    else {
      if (completion !== undefined) completion.mark = mark;
      this.#take(packet, completion);
    }
    completion?.started();
  }

  #take({ use, bytes, group, origin }: BusPacket, completion: Completion | undefined): void {
    const core = this.#core;
    const message = core.messages.read(bytes, core.clock.monotonicMs(), { origin });
    const mark = completion?.mark;
    switch (use) {
      case 'deliver': {
        if (message.retain) core.retained.delivered(message);
        const all = core.subscriptions.match(message.topic);
        const matches = mark?.again === true ? core.marks.missing(all, mark) : all;
        if (
          completion !== undefined &&
          !core.haveRoom({ list: matches.list.filter(({ subscriber }) => subscriber.reach === 'session') }, message)
        )
          completion.atLeast(ReasonCode.quotaExceeded);
        else core.deliverHere(message, completion === undefined ? core.withRoom(matches, message) : matches, completion);
        break;
      }
      case 'share':
        if (mark === undefined || !core.marks.hasGroup(mark, group)) core.groups.deliverTo(group, message, completion);
        break;
      case 'retain':
        if (!core.retained.take(message, completion)) {
          core.counters.dropped['retained-full']++;
          completion?.atLeast(ReasonCode.quotaExceeded);
        }
        break;
      case 'retained':
        if (!core.retained.apply(message)) core.counters.dropped['retained-full']++;
    }
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
  readonly reach = 'peer';
  readonly plain = false;
  readonly filters = new Set<string>();
  readonly #link: BusLink;
  readonly #peer: PeerId;

  constructor(link: BusLink, peer: PeerId) {
    this.#link = link;
    this.#peer = peer;
  }

  /** What its sessions may see is looked at there, as is whether they have room. */
  mayReceive(): boolean {
    return true;
  }

  hasRoom(): boolean {
    return true;
  }

  deliver(message: Message, _match: Match<Subscriber>, completion: Completion | undefined): void {
    this.#link.send(this.#peer, 'deliver', message, '', completion);
  }
}

function markOf({ mark, origin }: BusPacket): Mark | undefined {
  if (mark === undefined) return undefined;
  const session = mark.session as SessionNumber; // as its home gave it
  return new Mark({ origin, session, packetId: mark.packetId }, mark.again);
}

const NO_BYTES = new Uint8Array(0);

/** A peer gets the message as it was published; its own subscriptions say what they want of it. */
const AS_PUBLISHED: SubscriptionOptions = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 };
