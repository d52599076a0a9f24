import { withTopicAlias } from '@selsyn/wire/mqtt/alias-writer.ts';
import type { ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { EncodedPublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import type { Clock } from '../kernel/clock.ts';
import type { BrokerCounters } from './counters.ts';
import type { Message } from './message.ts';
import type { Outgoing } from './outgoing.ts';
import type { TopicAliases } from './topic-aliases.ts';

/** Turns messages into the PUBLISH packets of one connection: its version, its maximum packet size, its topic aliases. */
export class PublishSender {
  readonly outgoing: Outgoing;
  readonly version: ProtocolVersion;
  readonly #maxPacketBytes: number;
  readonly #aliases: TopicAliases | undefined;
  readonly #counters: BrokerCounters;
  readonly #clock: Clock;
  sent = 0;

  constructor(options: {
    readonly outgoing: Outgoing;
    readonly version: ProtocolVersion;
    readonly maxPacketBytes: number;
    /** Undefined where the client takes none. */
    readonly aliases: TopicAliases | undefined;
    readonly shared: { readonly counters: BrokerCounters; readonly clock: Clock };
  }) {
    this.outgoing = options.outgoing;
    this.version = options.version;
    this.#maxPacketBytes = options.maxPacketBytes;
    this.#aliases = options.aliases;
    this.#counters = options.shared.counters;
    this.#clock = options.shared.clock;
  }

  /**
   * The packet, or undefined where there is none to be sent: it is too large for this client [MQTT-3.1.2-25] or its life is over
   * [MQTT-3.3.2-5], and counts as delivered. One that was sent before keeps its right to arrive. What is returned must be `put`.
   */
  encode(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | undefined,
    sentBefore = false,
  ): EncodedPublish | undefined {
    const { version } = this;
    let leftSec: number | undefined;
    if (message.expiresAtMs !== Infinity) {
      leftSec = message.remainingSec(this.#clock.monotonicMs());
      if (leftSec === 0 && !sentBefore) {
        this.#counters.dropped.expired++;
        return undefined;
      }
    }
    const encoded =
      leftSec === undefined
        ? message.encoding(version, qos, retain, identifiers)
        : message.encode(version, qos, retain, identifiers, leftSec); // what is left of it [MQTT-3.3.2-6]
    if (encoded.bytes.length > this.#maxPacketBytes) {
      this.#counters.dropped['too-large-for-client']++;
      return undefined;
    }
    this.#counters.payloadBytesSent += message.payload.length;
    return this.#aliases === undefined ? encoded : this.#aliased(this.#aliases, message, encoded);
  }

  /** What an alias towards the client stands for; undefined: nothing. */
  topicOfAlias(alias: number): string | undefined {
    return this.#aliases?.topicOf(alias);
  }

  put(encoded: EncodedPublish, qos: QoS, packetId: number, dup: boolean): void {
    this.sent++;
    if (qos === 0) this.#counters.sent0++;
    else if (qos === 1) this.#counters.sent1++;
    else this.#counters.sent2++;
    this.outgoing.publish(encoded, packetId, dup);
  }

  /** With the topic's alias; whole where that would make it too large or saves nothing. */
  #aliased(aliases: TopicAliases, message: Message, whole: EncodedPublish): EncodedPublish {
    const found = aliases.aliasOf(message.topic);
    if (found === undefined) return whole;
    const encoded = withTopicAlias(whole, found.alias, found.isNew);
    if (encoded.bytes.length <= this.#maxPacketBytes) return encoded;
    // The client never saw the alias set.
    if (found.isNew) aliases.forget(message.topic);
    return whole;
  }
}
