import type { AckPacket, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { SessionNumber } from '../session-store/session-store.ts';
import type { BrokerCore } from './broker-core.ts';
import type { DropReason } from './counters.ts';
import { type Delivery, type DeliverySource, mayExpire } from './delivery.ts';
import { InFlight } from './in-flight.ts';
import type { BrokerLimits } from './limits.ts';
import type { Message } from './message.ts';
import { account } from './message-account.ts';
import type { OutboundLink } from './outbound-link.ts';
import { received, type Releasing, release } from './outbound-release.ts';
import { OutboundQueue } from './outbound-queue.ts';
import { sendNow } from './send-now.ts';

/**
 * The subscriber's half of a session: messages to its client, while there is one.
 *
 * QoS 0 goes out at once, or is dropped where the socket's backlog is over the bound or nobody is connected. QoS 1 and 2 go out
 * while the client's window has room and the socket takes them; else they wait, in order, up to the bound.
 *
 * ```
 *   a session that ends with its connection      a persistent one
 *   queue ──▶ sent: only the packet id is kept   kept (all, in order; stored) ──▶ queue ──▶ sent, until acknowledged
 *   past the bound the session ends              past the bound the publisher is refused
 * ```
 * Invariants: `#kept` has every message of a persistent session that is not acknowledged, and every unacknowledged one of a shared
 * group, by packet id, oldest first; the queue has those of them that were not sent on this connection; `#inFlight` those that were.
 */
export class Outbound implements Releasing {
  readonly sessionNumber: SessionNumber;
  readonly core: BrokerCore;
  #link: OutboundLink | undefined;
  #inFlight: InFlight;
  #queue: OutboundQueue | undefined;
  #kept: Map<number, Delivery> | undefined;
  #bytes = 0;
  #overflown = false;
  #askedReady = false;
  #nextExpiryCheckMs = 0;
  /** Messages for this session that were given up. */
  dropped = 0;

  /** @param sessionNumber 0 for a session that ends with its connection. */
  constructor(core: BrokerCore, sessionNumber: SessionNumber) {
    this.core = core;
    this.sessionNumber = sessionNumber;
    this.#inFlight = new InFlight(core.limits.maxInFlight);
  }

  get isPersistent(): boolean {
    return this.sessionNumber !== 0;
  }

  /** Undefined while nobody is connected. */
  get link(): OutboundLink | undefined {
    return this.#link;
  }

  get packetIds(): InFlight {
    return this.#inFlight;
  }

  /** Messages that wait for the window, the socket or the client's return. */
  get queued(): number {
    return this.#link === undefined ? (this.#kept?.size ?? 0) : (this.#queue?.length ?? 0);
  }

  /** Bytes of all that is waiting or kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many messages the client takes unacknowledged; 0 while it is not there. */
  get window(): number {
    return this.#link === undefined ? 0 : this.#inFlight.window;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** All that is kept, oldest first. */
  get kept(): Iterable<Delivery> {
    return this.#kept?.values() ?? [];
  }

  /** Packet ids of messages that the client has, and whose PUBCOMP is still to come. */
  get released(): readonly number[] {
    return [...this.#inFlight.awaiting('release'), ...this.#inFlight.awaiting('pubcomp')];
  }

  /** True when a message of any QoS would go straight out. Asking when it is not makes `onReady` be called. */
  get ready(): boolean {
    // What is sent to a persistent session is kept: there must be room for one more, however large.
    const hasBytes = !this.isPersistent || this.#bytes <= this.core.limits.maxQueuedBytes / 2;
    const ready = this.#link !== undefined && this.#isEmpty && hasBytes && this.#canSend(this.#link);
    if (!ready) this.#askedReady = true;
    return ready;
  }

  /** Whether a persistent session can keep one more; one that ends with its connection is never asked. */
  hasRoom(sizeBytes: number): boolean {
    if (!this.isPersistent) return true;
    return !this.core.memory.isFull && this.#hasSpace(sizeBytes);
  }

  /** A client is connected: what it has not acknowledged is sent again, oldest first [MQTT-4.4.0-1]. */
  attach(link: OutboundLink): void {
    const before = this.#inFlight;
    const inFlight = new InFlight(Math.min(link.receiveMaximum, this.core.limits.maxInFlight));
    inFlight.startAfter(before.last);
    for (const packetId of before.awaiting('pubcomp')) {
      inFlight.set(packetId, 'pubcomp');
      link.sender.outgoing.ack('pubrel', packetId);
    }
    this.#link = link;
    this.#inFlight = inFlight;
    // Once more: it may not have been possible to store it.
    for (const packetId of before.awaiting('release')) release(this, packetId);
    this.#queue = undefined;
    if (this.#kept === undefined || this.#kept.size === 0) return;
    this.#queue = new OutboundQueue();
    for (const delivery of this.#kept.values()) if (delivery.leaving !== true) this.#queue.push(delivery);
    this.pump();
  }

  /** The client has gone; what is kept stays. */
  detach(): void {
    for (const { message, once } of this.#queue?.items ?? []) if (once !== undefined) this.#account(message, -1, false);
    this.#link = undefined;
    this.#queue = undefined;
    this.#askedReady = false;
  }

  /** @returns false where a persistent session has no room for it. */
  send(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[] | undefined, share?: DeliverySource): boolean {
    const link = this.#link;
    if (qos === 0) {
      if (link !== undefined && !sendNow(this.core, link.sender, message, retain, identifiers)) this.dropped++;
      return true;
    }
    if (this.isPersistent) return this.#keep(message, qos, retain, identifiers, share);
    if (link === undefined) this.#drop('session-ended');
    else if (share === undefined && this.#isEmpty && this.#canSend(link)) {
      const encoded = link.sender.encode(message, qos, retain, identifiers);
      if (encoded !== undefined) link.sender.put(encoded, qos, this.#inFlight.open(qos), false);
    } else this.#hold(link, { message, qos, retain, identifiers, share, packetId: 0, ticket: 0, sent: false });
    return true;
  }

  /**
   * At QoS 1 to the client that is connected, in its turn, and never again: it is not kept for the next connection.
   * @param acknowledged called at its PUBACK. @returns false where nobody is connected, or too much waits.
   */
  sendOnce(message: Message, identifiers: readonly number[] | undefined, acknowledged: (() => void) | undefined): boolean {
    const link = this.#link;
    if (link === undefined || this.#isFullFor(message)) return false;
    const once = acknowledged ?? NOBODY;
    this.#hold(link, {
      message,
      qos: 1,
      retain: false,
      identifiers,
      share: undefined,
      packetId: 0,
      ticket: 0,
      sent: false,
      once,
    });
    return true;
  }

  /** What was kept is on its way to disk: it may go out, or stand in the queue. */
  offer(delivery: Delivery): void {
    if (this.#link === undefined) return;
    this.#queue ??= new OutboundQueue();
    this.#queue.push(delivery);
    if (this.#queue.length === 1) this.pump();
  }

  /** What was kept could not be stored, and its publisher is told so: it goes, unless the client may have seen it. */
  notStored(delivery: Delivery): void {
    if (delivery.sent || this.#kept?.get(delivery.packetId) !== delivery) return;
    this.forget(delivery);
    this.pump();
  }

  /** What an earlier run of the server had stored. */
  restore(delivery: Delivery): void {
    this.#kept ??= new Map();
    this.#kept.set(delivery.packetId, delivery);
    this.#inFlight.startAfter(delivery.packetId);
    this.#account(delivery.message, 1);
  }

  restoreReleased(packetId: number): void {
    this.#inFlight.set(packetId, 'pubcomp');
  }

  /** An answer of the client to a QoS 1 or 2 message. One that nothing waits for is ignored, as it may be late. */
  acknowledge(packet: AckPacket): void {
    const { packetId, type } = packet;
    if (type === 'pubrec' && packet.reasonCode < 0x80) received(this, packetId);
    else if (type !== 'pubrel' && this.#inFlight.close(packetId, type)) {
      const delivery = this.#kept?.get(packetId);
      if (delivery !== undefined) this.forget(delivery);
      if (this.isPersistent) this.core.store.write({ kind: 'settled', session: this.sessionNumber, packetId });
      this.pump();
    }
  }

  /** Sends what waits, as far as it goes. Called when the window, the socket or the store has room again. */
  pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    const queue = this.#queue;
    while (queue !== undefined && this.#canSend(link)) {
      const { first } = queue;
      // A QoS 2 message goes out once it is stored: after a crash it must be known by its packet id.
      if (first === undefined || (first.qos === 2 && first.ticket !== 0 && !this.core.store.isSettled(first.ticket))) break;
      queue.shift();
      // What was given up or could not be stored is kept no more.
      if (!this.isPersistent || first.once !== undefined || this.#kept?.get(first.packetId) === first)
        this.#sendHeld(link, first);
    }
    if (this.#askedReady && this.ready) {
      this.#askedReady = false;
      link.host.onReady();
    }
  }

  /**
   * Takes out messages that are for another client, or for none: all but those at QoS 2 that its client may have [MQTT-4.8.2-5].
   * What of a persistent session is taken out is kept until it is handed over.
   */
  take(which: (delivery: Delivery) => boolean): readonly Delivery[] {
    const taken = this.#all.filter((each) => each.leaving !== true && !(each.qos === 2 && each.sent) && which(each));
    for (const delivery of taken) {
      if (this.isPersistent) delivery.leaving = true;
      else this.#giveUp(delivery);
    }
    if (!this.isPersistent) this.#queue?.remove(new Set(taken));
    return taken;
  }

  /** What was taken out of a persistent session goes once another member has it; if none takes it, it is for this client still. */
  handedOver(delivery: Delivery, taken: boolean): void {
    if (this.#kept?.get(delivery.packetId) !== delivery) return;
    delivery.leaving = false;
    if (taken) this.#giveUp(delivery);
    else this.offer(delivery);
  }

  /** The session has ended: its messages go. Those of shared groups are taken out before. */
  close(): void {
    const left = this.#all;
    for (const { message, once } of left) if (once === undefined) this.#account(message, -1);
    this.core.counters.dropped['session-ended'] += left.length;
    this.#kept = undefined;
    this.detach();
  }

  get #all(): readonly Delivery[] {
    return [...this.kept, ...(this.isPersistent ? [] : (this.#queue?.items ?? []))];
  }

  get #isEmpty(): boolean {
    return this.#queue === undefined || this.#queue.length === 0;
  }

  #canSend({ sender }: OutboundLink): boolean {
    return this.#inFlight.hasRoom && !sender.outgoing.congested;
  }

  #hasSpace(sizeBytes: number): boolean {
    const { limits, wide, clock } = this.core;
    if (this.#fits(sizeBytes, limits)) return true;
    this.#dropExpired();
    return this.#fits(sizeBytes, limits) || wide.foundFull(this, clock.monotonicMs());
  }

  #fits(sizeBytes: number, limits: BrokerLimits): boolean {
    const kept = this.#kept?.size ?? 0;
    const sent = this.#inFlight.size;
    const waiting = this.#link === undefined ? kept : kept - sent;
    // A packet id must be free too.
    return waiting < limits.maxQueuedMessages && kept + sent < 65_535 && this.#bytes + sizeBytes <= limits.maxQueuedBytes;
  }

  /** Into the queue of a session that ends with its connection. */
  #hold(link: OutboundLink, delivery: Delivery): void {
    this.#queue ??= new OutboundQueue();
    if (this.#isFullFor(delivery.message)) {
      if (!this.#overflown) link.host.onOverflow();
      this.#overflown = true;
    }
    // What is of a shared group goes to other members when the session ends, at the end of this turn.
    if (this.#overflown && delivery.share === undefined) {
      this.#drop('slow-subscriber');
      return;
    }
    this.#queue.push(delivery);
    this.#account(delivery.message, 1, false);
    if (this.#queue.length === 1) this.pump();
  }

  #isFullFor({ sizeBytes }: Message): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.core.limits;
    return (this.#queue?.length ?? 0) >= maxQueuedMessages || this.#bytes + sizeBytes > this.core.memory.share(maxQueuedBytes);
  }

  #keep(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[] | undefined,
    share?: DeliverySource,
  ): boolean {
    if (!this.#hasSpace(message.sizeBytes)) {
      this.#drop('queue-full');
      return false;
    }
    const kept = (this.#kept ??= new Map<number, Delivery>());
    const packetId = this.#inFlight.nextId((id) => kept.has(id));
    const delivery: Delivery = { message, qos, retain, identifiers, share, packetId, ticket: NOT_WRITTEN, sent: false };
    kept.set(packetId, delivery);
    this.#account(message, 1);
    this.core.stored.keep(this, delivery);
    return true;
  }

  #sendHeld(link: OutboundLink, delivery: Delivery): void {
    const { message, qos, retain, identifiers, sent } = delivery;
    const encoded = link.sender.encode(message, qos, retain, identifiers, !mayExpire(delivery));
    if (encoded === undefined) {
      this.dropped++;
      this.#giveUp(delivery);
      return;
    }
    if (delivery.once !== undefined) {
      delivery.packetId = this.#inFlight.nextId((id) => this.#kept?.has(id) === true);
      this.#inFlight.set(delivery.packetId, 'puback', delivery.once);
      this.#account(message, -1, false);
    } else if (!this.isPersistent) {
      delivery.packetId = this.#inFlight.open(qos);
      if (delivery.share === undefined) this.#account(message, -1);
      else (this.#kept ??= new Map()).set(delivery.packetId, delivery);
    } else this.#inFlight.set(delivery.packetId, qos === 1 ? 'puback' : 'pubrec');
    delivery.sent = true;
    link.sender.put(encoded, qos, delivery.packetId, sent);
  }

  /** It is not for this client any more. */
  #giveUp(delivery: Delivery): void {
    if (this.isPersistent && delivery.once === undefined) {
      this.core.store.write({ kind: 'settled', session: this.sessionNumber, packetId: delivery.packetId });
      this.#inFlight.close(delivery.packetId, 'puback');
    }
    if (this.#kept?.get(delivery.packetId) === delivery) this.forget(delivery);
    else this.#account(delivery.message, -1, false);
  }

  keptAs(packetId: number): Delivery | undefined {
    return this.#kept?.get(packetId);
  }

  /** It is kept no more. */
  forget(delivery: Delivery): void {
    this.#kept?.delete(delivery.packetId);
    this.#account(delivery.message, -1);
  }

  /** Makes room in a full queue, at most once a second. */
  #dropExpired(): void {
    const nowMs = this.core.clock.monotonicMs();
    if (nowMs < this.#nextExpiryCheckMs) return;
    this.#nextExpiryCheckMs = nowMs + 1_000;
    for (const delivery of this.kept) {
      if (!mayExpire(delivery) || this.#inFlight.has(delivery.packetId) || delivery.message.expiresAtMs > nowMs) continue;
      this.#drop('expired');
      this.#giveUp(delivery);
    }
  }

  #drop(reason: DropReason): void {
    this.dropped++;
    this.core.counters.dropped[reason]++;
  }

  #account(message: Message, change: 1 | -1, isStored = this.isPersistent): void {
    this.#bytes += change * message.sizeBytes;
    account(this.core.counters, message, change, isStored);
    this.core.watchMemory();
  }
}

/** Later than every ticket: what is not written yet is not stored. */
const NOT_WRITTEN = Infinity;
/** Of a message whose acknowledgement nobody waits for. */
const NOBODY = (): void => undefined;
