import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { MqttError, protocolError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type { PublishPacket, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { AckOwner } from './ack-ring.ts';
import type { BrokerCore } from './broker-core.ts';
import { codeOfIntakeError, reasonOfRefusal } from './close-reasons.ts';
import { copyBytes } from './copy-bytes.ts';
import type { Claim } from './intake.ts';
import { Message } from './message.ts';
import type { Outgoing } from './outgoing.ts';
import type { Session } from './session.ts';
import { levelsOf } from './topic-levels.ts';

/** What is known of one topic that a connection publishes to, so that its next message costs no question. */
interface Route {
  readonly topic: Topic;
  /** The reason code with which it is refused; 0: it is not. */
  readonly refusal: number;
  readonly claim: Claim | undefined;
  /** Whether anybody subscribes, as of `version` of the subscriptions. */
  subscribed: boolean;
  version: number;
}

/**
 * The publisher's half of a connection: routes PUBLISH packets and answers them in their order [MQTT-4.6.0-2, MQTT-4.6.0-3].
 *
 * A message that the intake claims is answered when it is durable. Any other is answered at once, or behind those of this
 * connection that still wait.
 */
export class Inbound implements AckOwner {
  readonly #core: BrokerCore;
  readonly #session: Session;
  readonly #outgoing: Outgoing;
  #closed = false;
  #route: Route | undefined;
  /** All routes, once the connection uses more than one topic. */
  #routes: Map<Topic, Route> | undefined;
  #aliases: (Topic | undefined)[] | undefined;
  /** Answers of this connection in the ring. */
  #waiting = 0;
  /** QoS 1 and 2 messages without their final answer: what the receive maximum bounds. */
  #unacknowledged = 0;
  /** QoS 2 messages until their PUBREL -> whether PUBREC was sent. */
  #received: Map<number, boolean> | undefined;

  constructor(core: BrokerCore, session: Session, outgoing: Outgoing) {
    this.#core = core;
    this.#session = session;
    this.#outgoing = outgoing;
  }

  /** @throws MqttError where the connection cannot go on */
  receive(packet: PublishPacket): void {
    const core = this.#core;
    const { qos, properties } = packet;
    const topic = properties === undefined ? packet.topic : this.#resolveAlias(packet);
    let route = this.#route;
    if (route === undefined || route.topic !== topic) route = this.#takeRoute(topic);
    if (qos === 0) core.counters.received0++;
    else if (!this.#admit(packet.packetId, qos)) return;
    if (route.refusal !== 0) {
      core.counters.dropped['not-authorized']++;
      this.#refuse(packet, route.refusal);
      return;
    }
    if (packet.retain && !this.#hasRoomToRetain(packet, topic)) return;
    let ticket = 0;
    if (route.claim !== undefined) {
      ticket = this.#accept(route.claim, packet);
      if (ticket === REFUSED) return;
    }
    const version = core.subscriptions.version;
    if (route.version !== version) {
      route.version = version;
      route.subscribed = core.subscriptions.match(topic).length > 0;
    }
    if (route.subscribed || packet.retain) this.#publish(packet, topic);
    if (qos === 0) return;
    if (ticket !== 0) {
      this.#waiting++;
      core.ring.push(this, packet.packetId, qos, ticket);
    } else this.#decide(packet.packetId, qos, route.subscribed ? ReasonCode.success : ReasonCode.noMatchingSubscribers);
  }

  /** PUBREL. @throws MqttError */
  release(packetId: number): void {
    const recorded = this.#received?.get(packetId);
    if (recorded === false) throw protocolError('[MQTT-4.3.3-6]', 'PUBREL before PUBREC');
    if (recorded === true) {
      this.#received?.delete(packetId);
      this.#unacknowledged--;
    } else if (this.#session.version === 5) {
      this.#outgoing.packet(encodePacket({ type: 'pubcomp', packetId, reasonCode: ReasonCode.packetIdentifierNotFound }, 5));
      return;
    }
    this.#outgoing.ack('pubcomp', packetId);
  }

  /** The ring says what has become of a message. */
  settle(packetId: number, qos: QoS, code: number): void {
    this.#waiting--;
    if (this.#closed) return;
    if (code >= 0x80) this.#core.counters.dropped['log-rejected']++;
    this.#answer(packetId, qos, code);
  }

  /** Nothing is answered any more. */
  close(): void {
    this.#closed = true;
    this.#route = undefined;
    this.#routes = undefined;
    this.#aliases = undefined;
    this.#received = undefined;
  }

  /** False for a QoS 2 message that was taken before: it is only answered again [MQTT-4.3.3-10]. */
  #admit(packetId: number, qos: QoS): boolean {
    const { counters, limits } = this.#core;
    if (qos === 1) counters.received1++;
    else {
      counters.received2++;
      this.#received ??= new Map();
      const answered = this.#received.get(packetId);
      if (answered !== undefined) {
        if (answered) this.#outgoing.ack('pubrec', packetId);
        return false;
      }
      this.#received.set(packetId, false);
    }
    this.#unacknowledged++;
    if (this.#unacknowledged > limits.receiveMaximum && this.#session.version === 5) {
      throw new MqttError(
        ReasonCode.receiveMaximumExceeded,
        '[MQTT-3.3.4-9]',
        'more messages unacknowledged than the receive maximum',
      );
    }
    return true;
  }

  /** @returns the ticket, or REFUSED when the client was told so. */
  #accept(claim: Claim, packet: PublishPacket): number {
    const { intake, counters, logLines } = this.#core;
    try {
      return intake?.accept(claim, packet.data, packet.start, packet.end) ?? 0;
    } catch (error) {
      if (!isSelsynError(error)) throw error;
      counters.dropped['log-rejected']++;
      logLines.debug({ err: error, client: this.#session.clientId }, 'the intake refused a message');
      this.#refuse(packet, codeOfIntakeError(error));
      return REFUSED;
    }
  }

  #hasRoomToRetain(packet: PublishPacket, topic: Topic): boolean {
    const size = packet.end - packet.start;
    if (size === 0 || this.#core.retained.hasRoom(topic.name, size + topic.bytes.length)) return true;
    this.#core.counters.dropped['retained-full']++;
    if (packet.qos !== 0) this.#refuse(packet, ReasonCode.quotaExceeded);
    return false;
  }

  #publish(packet: PublishPacket, topic: Topic): void {
    const core = this.#core;
    const payload = copyBytes(packet.data, packet.start, packet.end);
    const now = packet.properties === undefined ? 0 : core.clock.monotonicMs();
    const message = new Message(topic, payload, packet, packet.properties, now, this.#session.key);
    if (packet.retain) core.retain(message);
    core.deliver(message);
  }

  /** Says no by the acknowledgement. At QoS 0 there is none: what will never be allowed closes, a passing fault is counted. */
  #refuse(packet: PublishPacket, code: number): void {
    if (packet.qos !== 0) this.#decide(packet.packetId, packet.qos, code);
    else if (code === ReasonCode.notAuthorized || code === ReasonCode.topicNameInvalid) {
      this.#session.connection.close(reasonOfRefusal(code));
    }
  }

  #decide(packetId: number, qos: QoS, code: number): void {
    if (this.#waiting === 0) this.#answer(packetId, qos, code);
    else {
      this.#waiting++;
      this.#core.ring.pushDecided(this, packetId, qos, code);
    }
  }

  #answer(packetId: number, qos: QoS, code: number): void {
    const { version, connection } = this.#session;
    // 3.1.1 has no way to refuse, and acknowledging what was dropped would be a lie [MQTT-3.3.5-2 of 3.1.1].
    if (version === 4 && code >= 0x80) {
      connection.close(reasonOfRefusal(code));
      return;
    }
    if (qos === 1) this.#unacknowledged--;
    else if (code < 0x80) this.#received?.set(packetId, true);
    else {
      // A refused id is free again at once [MQTT-4.3.3-9].
      this.#received?.delete(packetId);
      this.#unacknowledged--;
    }
    const type = qos === 1 ? 'puback' : 'pubrec';
    if (code === 0 || version === 4) this.#outgoing.ack(type, packetId);
    else this.#outgoing.packet(encodePacket({ type, packetId, reasonCode: code }, 5));
  }

  #resolveAlias(packet: PublishPacket): Topic {
    const alias = packet.properties?.topicAlias;
    if (alias === undefined) return packet.topic;
    if (alias > this.#core.limits.topicAliasMaximum) {
      throw new MqttError(ReasonCode.topicAliasInvalid, '[MQTT-3.3.2-9]', 'the topic alias is over the maximum');
    }
    this.#aliases ??= [];
    if (packet.topic.name !== '') {
      this.#aliases[alias] = packet.topic;
      return packet.topic;
    }
    const topic = this.#aliases[alias];
    if (topic === undefined) throw protocolError('[MQTT-3.3.2-12]', 'the topic alias stands for no topic');
    return topic;
  }

  #takeRoute(topic: Topic): Route {
    let route = this.#routes?.get(topic);
    if (route === undefined) {
      route = this.#openRoute(topic);
      if (this.#route !== undefined) {
        this.#routes ??= new Map([[this.#route.topic, this.#route]]);
        if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
        this.#routes.set(topic, route);
      }
    }
    this.#route = route;
    return route;
  }

  #openRoute(topic: Topic): Route {
    const { limits, intake } = this.#core;
    const { principal } = this.#session;
    let refusal = 0;
    if (levelsOf(topic.name) > limits.maxTopicLevels) refusal = ReasonCode.topicNameInvalid;
    else if (!principal.mayPublish(topic.name)) refusal = ReasonCode.notAuthorized;
    const claim = refusal === 0 ? intake?.claim(principal, topic.name) : undefined;
    return { topic, refusal, claim, subscribed: false, version: -1 };
  }
}

const REFUSED = -1;
/** Topics of one connection whose routes are kept. */
const MAX_ROUTES = 256;
