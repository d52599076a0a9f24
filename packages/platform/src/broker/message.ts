import type { ProtocolVersion, PublishProperties, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { encodePublish, type EncodedPublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { copyBytes } from './copy-bytes.ts';

/**
 * An application message on its way to subscribers. Its bytes never change; until `own` they may be those of the chunk in which it
 * came in, and are then valid during the call that delivers it only.
 *
 * It keeps its encodings: one for each (version, QoS, retain flag, subscription identifiers) that a subscriber needs, so that
 * a message to many is encoded once.
 */
export class Message {
  readonly topic: Topic;
  #payload: Uint8Array;
  #owned: boolean;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: PublishProperties | undefined;
  /** Key of the session that published it; undefined where it came from elsewhere. */
  readonly origin: string | undefined;
  /** Monotonic time after which it is worth nothing [MQTT-3.3.2-5]; Infinity where it has no expiry. */
  readonly expiresAtMs: number;
  /** What it is called in the session store; 0 while it is not there. */
  storeNumber = 0;
  /** The snapshot of the store in which it was written last. */
  snapshot = 0;
  /** How many sessions keep it for their clients. */
  keepers = 0;
  /** Those of them that are persistent: the store has it while there are any. */
  holders = 0;
  /** Encodings without identifiers, by version, QoS and retain flag. */
  #plain: (EncodedPublish | undefined)[] | undefined;
  #identified: { readonly identifiers: readonly number[]; readonly key: number; readonly encoded: EncodedPublish }[] | undefined;

  constructor(
    topic: Topic,
    payload: Uint8Array,
    flags: { readonly qos: QoS; readonly retain: boolean },
    properties: PublishProperties | undefined,
    nowMs: number,
    origin?: string,
    expiresAtMs = properties?.messageExpirySec === undefined ? Infinity : nowMs + properties.messageExpirySec * 1_000,
    owned = true,
  ) {
    this.topic = topic;
    this.#payload = payload;
    this.#owned = owned;
    this.qos = flags.qos;
    this.retain = flags.retain;
    this.origin = origin;
    this.properties = properties === undefined ? undefined : forwardable(properties);
    this.expiresAtMs = expiresAtMs;
  }

  get payload(): Uint8Array {
    return this.#payload;
  }

  /** Makes its bytes its own: it will be kept. */
  own(): void {
    if (this.#owned) return;
    this.#payload = copyBytes(this.#payload, 0, this.#payload.length);
    this.#owned = true;
  }

  /** What counts against the bounds of a queue or a store. */
  get sizeBytes(): number {
    return this.#payload.length + this.topic.bytes.length;
  }

  /** The encoding for subscribers of this kind, made at the first call and kept. */
  encoding(version: ProtocolVersion, qos: QoS, retain: boolean, identifiers: readonly number[] | undefined): EncodedPublish {
    const key = (version === 5 ? 6 : 0) + (retain ? 3 : 0) + qos;
    if (identifiers !== undefined && version === 5) return this.#identifiedEncoding(key, qos, retain, identifiers);
    this.#plain ??= [];
    return (this.#plain[key] ??= this.encode(version, qos, retain, undefined, undefined));
  }

  /**
   * An encoding that is not kept.
   * @param expirySec what is left of its expiry; undefined: as it was published.
   */
  encode(
    version: ProtocolVersion,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | undefined,
    expirySec: number | undefined,
  ): EncodedPublish {
    // 3.1.1 has no properties: the codec leaves them out.
    let properties = this.properties;
    if (expirySec !== undefined) properties = { ...properties, messageExpirySec: expirySec };
    if (identifiers !== undefined) properties = { ...properties, subscriptionIdentifiers: identifiers };
    return encodePublish(
      { type: 'publish', topic: this.topic, payload: this.payload, qos, retain, packetId: qos === 0 ? 0 : 1, properties },
      version,
    );
  }

  /** What is left of the expiry at `nowMs` in whole seconds, rounded up; undefined where it has none; 0 once it is over. */
  remainingSec(nowMs: number): number | undefined {
    return this.expiresAtMs === Infinity ? undefined : Math.max(0, Math.ceil((this.expiresAtMs - nowMs) / 1_000));
  }

  #identifiedEncoding(key: number, qos: QoS, retain: boolean, identifiers: readonly number[]): EncodedPublish {
    this.#identified ??= [];
    for (const known of this.#identified) {
      if (known.key === key && equal(known.identifiers, identifiers)) return known.encoded;
    }
    const encoded = this.encode(5, qos, retain, identifiers, undefined);
    if (this.#identified.length < MAX_IDENTIFIED) this.#identified.push({ identifiers, key, encoded });
    return encoded;
  }
}

const MAX_IDENTIFIED = 8;

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}

/** The properties that go on to subscribers [MQTT-3.3.2-4, -15, -16, -17, -20]: not the alias, which belongs to the connection. */
function forwardable(properties: PublishProperties): PublishProperties | undefined {
  const { topicAlias: _alias, subscriptionIdentifiers: _identifiers, correlationData, ...rest } = properties;
  // Correlation data may be a view of the chunk it came in, which must not live as long as the message.
  const kept = correlationData === undefined ? rest : { ...rest, correlationData: Uint8Array.from(correlationData) };
  return Object.keys(kept).length === 0 ? undefined : kept;
}
