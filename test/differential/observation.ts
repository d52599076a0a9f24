import type { PublishProperties } from '@selsyn/wire/mqtt/packets.ts';
import type { ReceivedPublish } from '../harness/mqtt-client.ts';

interface Delivery {
  readonly connection: number;
  readonly topic: string;
  readonly text: string;
  qos: number;
  retain: boolean;
  readonly properties: string;
  identifiers: readonly number[];
}

/**
 * What one client of one server could see: the answers to what it asked, in order; and for each of its connections, topic and
 * QoS the messages, in order. Between topics, and between QoS, the standard promises no order.
 *
 * Where subscriptions overlap, a server may send one message with the highest QoS, or a copy for each [MQTT-3.3.4-2]. Of one that
 * `sendsCopies` they are taken together, as far as they came within one step.
 */
export class Observation {
  readonly #sendsCopies: boolean;
  readonly #answers: string[] = [];
  readonly #deliveries: Delivery[] = [];
  #step = new Map<string, Delivery>();
  #kind = '';

  constructor(sendsCopies: boolean) {
    this.#sendsCopies = sendsCopies;
  }

  /** What comes from now on belongs to a step of this kind. */
  nextStep(kind: string): void {
    this.#step = new Map();
    this.#kind = kind;
  }

  answer(text: string): void {
    this.#answers.push(text);
  }

  delivery(connection: number, topic: string, packet: ReceivedPublish): void {
    const { text, qos, retain } = packet;
    // Of a message that waited, a server that sends copies has only those above QoS 0, with their identifiers.
    const hasWaited = this.#kind === 'connect' || this.#kind === 'broken-qos2';
    const identifiers = hasWaited ? [] : (packet.properties?.subscriptionIdentifiers ?? []);
    const key = `${connection} ${topic} ${text}`;
    const copy = this.#step.get(key);
    // Retained messages come once for each new subscription, from every server.
    if (this.#sendsCopies && copy !== undefined && this.#kind !== 'subscribe') {
      copy.qos = Math.max(copy.qos, qos);
      copy.retain ||= retain;
      copy.identifiers = [...copy.identifiers, ...identifiers];
      return;
    }
    const delivery = { connection, topic, text, qos, retain, properties: textOf(packet.properties), identifiers };
    this.#step.set(key, delivery);
    this.#deliveries.push(delivery);
  }

  /** One text for all of it, equal for equal observations. */
  toString(): string {
    const lines = new Map<string, string[]>();
    for (const { connection, topic, text, qos, retain, properties, identifiers } of this.#deliveries) {
      const key = `#${connection} ${topic} QoS ${qos}`;
      // The order of identifiers has no meaning (MQTT 5.0, 3.3.2.3.8).
      const by = identifiers.length === 0 ? '' : ` by ${identifiers.toSorted((a, b) => a - b).join('+')}`;
      const line = `${text}${retain ? ' retained' : ''}${properties}${by}`;
      const list = lines.get(key);
      if (list === undefined) lines.set(key, [line]);
      else list.push(line);
    }
    const sorted = [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return [`answers: ${this.#answers.join('; ')}`, ...sorted.map(([key, list]) => `${key}: ${list.join(', ')}`)].join('\n');
  }
}

/** Properties in one order; the expiry only as far as it does not depend on the time that passed. */
function textOf(properties: PublishProperties | undefined): string {
  if (properties === undefined) return '';
  const { messageExpirySec, subscriptionIdentifiers: _, topicAlias: _alias, ...rest } = properties;
  const parts = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) => `${name}=${value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(value)}`,
    );
  if (messageExpirySec !== undefined) parts.push(`expires=${messageExpirySec > 900 && messageExpirySec <= 1_000}`);
  return parts.length === 0 ? '' : ` {${parts.toSorted().join(' ')}}`;
}
