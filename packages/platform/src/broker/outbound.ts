import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { AckPacket, ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { EncodedPublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Clock } from '../kernel/clock.ts';
import type { BrokerCounters } from './counters.ts';
import { InFlight } from './in-flight.ts';
import type { BrokerLimits } from './limits.ts';
import type { Message } from './message.ts';
import { type Delivery, OutboundQueue } from './outbound-queue.ts';
import type { Outgoing } from './outgoing.ts';

export interface OutboundOptions {
  readonly outgoing: Outgoing;
  readonly version: ProtocolVersion;
  /** The client's receive maximum and maximum packet size. */
  readonly receiveMaximum: number;
  readonly maxPacketBytes: number;
  readonly shared: OutboundShared;
  readonly host: OutboundHost;
}

/** What all sessions share. */
export interface OutboundShared {
  readonly limits: BrokerLimits;
  readonly counters: BrokerCounters;
  readonly clock: Clock;
}

export interface OutboundHost {
  /** The queue is at its bound: the session must end. Called once. */
  onOverflow(): void;
  /** `ready` has become true after it was found false. */
  onReady(): void;
}

/**
 * The subscriber's half of a session: messages to its client.
 *
 * QoS 0 goes out at once, or is dropped where the socket's backlog is over the bound. QoS 1 and 2 go out while the client's window
 * has room and the socket takes them; else they are held, in order, up to the bound, and past it the session ends.
 */
export class Outbound {
  readonly #options: OutboundOptions;
  readonly #outgoing: Outgoing;
  readonly #inFlight: InFlight;
  #held: OutboundQueue | undefined;
  #overflown = false;
  #askedReady = false;

  constructor(options: OutboundOptions) {
    this.#options = options;
    this.#outgoing = options.outgoing;
    this.#inFlight = new InFlight(Math.min(options.receiveMaximum, options.shared.limits.maxInFlight));
  }

  /** True when a message of any QoS would go straight out. Asking when it is not makes `onReady` be called. */
  get ready(): boolean {
    const ready = (this.#held === undefined || this.#held.length === 0) && this.#inFlight.hasRoom && !this.#outgoing.congested;
    if (!ready) this.#askedReady = true;
    return ready;
  }

  send(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[] | undefined): void {
    const { version } = this.#options;
    if (qos === 0) {
      if (this.#outgoing.backlogBytes > this.#options.shared.limits.maxBacklogBytes)
        this.#options.shared.counters.dropped['slow-subscriber']++;
      else this.#write(message.encoding(version, 0, retain, identifiers), 0);
    } else if ((this.#held === undefined || this.#held.length === 0) && this.#inFlight.hasRoom && !this.#outgoing.congested) {
      this.#write(message.encoding(version, qos, retain, identifiers), qos);
    } else this.#hold({ message, qos, retain, identifiers });
  }

  /** A retained message for a new subscription, with what is left of its expiry; only while `ready`. */
  sendRetained(message: Message, qos: QoS, identifiers: readonly number[] | undefined, leftSec: number | undefined): void {
    this.#write(message.encode(this.#options.version, qos, true, identifiers, leftSec), qos);
  }

  /** An answer of the client to a QoS 1 or 2 message. One that nothing waits for is ignored, as it may be late. */
  acknowledge(packet: AckPacket): void {
    const { packetId, type } = packet;
    if (type === 'pubrec' && packet.reasonCode < 0x80) this.#received(packetId);
    else if (type !== 'pubrel' && this.#inFlight.close(packetId, type)) this.pump();
  }

  /** Sends what was held, as far as it goes. Called when the window or the socket has room again. */
  pump(): void {
    const held = this.#held;
    if (held !== undefined) {
      while (held.length > 0 && this.#inFlight.hasRoom && !this.#outgoing.congested) {
        const delivery = held.shift();
        if (delivery !== undefined) this.#sendHeld(delivery);
      }
    }
    if (this.#askedReady && this.ready) {
      this.#askedReady = false;
      this.#options.host.onReady();
    }
  }

  /** Gives up what is held. */
  close(): void {
    const held = this.#held;
    if (held === undefined) return;
    const { counters } = this.#options.shared;
    counters.queuedBytes -= held.bytes;
    const left = held.clear();
    counters.queued -= left;
    counters.dropped['session-ended'] += left;
  }

  #received(packetId: number): void {
    if (this.#inFlight.received(packetId) || this.#options.version === 4) this.#outgoing.ack('pubrel', packetId);
    else {
      const pubrel: AckPacket = { type: 'pubrel', packetId, reasonCode: ReasonCode.packetIdentifierNotFound };
      this.#outgoing.packet(encodePacket(pubrel, 5));
    }
  }

  #hold(delivery: Delivery): void {
    if (this.#overflown) return;
    const { counters } = this.#options.shared;
    this.#held ??= new OutboundQueue(this.#options.shared.limits);
    if (this.#held.push(delivery)) {
      counters.queued++;
      counters.queuedBytes += delivery.message.sizeBytes;
    } else {
      this.#overflown = true;
      counters.dropped['slow-subscriber']++;
      this.#options.host.onOverflow();
    }
  }

  #sendHeld(delivery: Delivery): void {
    const { message, qos, retain, identifiers } = delivery;
    const { version } = this.#options;
    const { counters, clock } = this.#options.shared;
    counters.queued--;
    counters.queuedBytes -= message.sizeBytes;
    if (message.expiresAtMs === Infinity) {
      this.#write(message.encoding(version, qos, retain, identifiers), qos);
      return;
    }
    // What is sent on says how long the message may still live [MQTT-3.3.2-6]; an expired one is not sent [MQTT-3.3.2-5].
    const left = message.remainingSec(clock.monotonicMs());
    if (left === 0) counters.dropped.expired++;
    else this.#write(message.encode(version, qos, retain, identifiers, left), qos);
  }

  #write(encoded: EncodedPublish, qos: QoS): void {
    const { maxPacketBytes } = this.#options;
    const { counters } = this.#options.shared;
    // A message that is too large for this client counts as delivered [MQTT-3.1.2-25].
    if (encoded.bytes.length > maxPacketBytes) {
      counters.dropped['too-large-for-client']++;
      return;
    }
    if (qos === 0) {
      counters.sent0++;
      this.#outgoing.publish(encoded, 0);
      return;
    }
    if (qos === 1) counters.sent1++;
    else counters.sent2++;
    this.#outgoing.publish(encoded, this.#inFlight.open(qos));
  }
}
