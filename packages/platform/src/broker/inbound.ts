import { isUtf8 } from 'node:buffer';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { MqttError, protocolError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type { PublishPacket, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { AckOwner } from './ack-ring.ts';
import type { BrokerCore } from './broker-core.ts';
import { mayRetain } from './authorizer.ts';
import { ClientAliases } from './client-aliases.ts';
import { codeOfIntakeError, reasonOfRefusal } from './close-reasons.ts';
import { Afterwards } from './completion.ts';
import { copyBytes } from './copy-bytes.ts';
import type { Claim } from './intake.ts';
import { Message } from './message.ts';
import type { Outgoing } from './outgoing.ts';
import { PendingAnswer } from './pending-answer.ts';
import { openRoute, type Route } from './publish-route.ts';
import { answerRequest, keepOutcome } from './request-answering.ts';
import type { Session } from './session.ts';
import { TakenOnce } from './taken-once.ts';

/**
 * The publisher's half of a connection: routes PUBLISH packets and answers them in their order [MQTT-4.6.0-2, MQTT-4.6.0-3].
 *
 * A message is answered when nobody who must have it durably is missing: the intake, persistent sessions here and in other threads.
 * A message that only the intake must have waits in the ring, with no object of its own; where more is to be waited for, the answer
 * is a {@link PendingAnswer}, and so are those behind it until it is given.
 */
export class Inbound implements AckOwner {
  readonly #core: BrokerCore;
  readonly #session: Session;
  readonly #outgoing: Outgoing;
  /** Made where the session is persistent. */
  #takenOnce: TakenOnce | undefined;
  #closed = false;
  #route: Route | undefined;
  /** All routes, once the connection uses more than one topic. */
  #routes: Map<Topic, Route> | undefined;
  /** Made when its client first uses one. */
  #aliases: ClientAliases | undefined;
  /** Answers of this connection in the ring. */
  #waiting = 0;
  /** Answers that wait for more than the ring, and those behind them, oldest first. */
  #pending: PendingAnswer[] | undefined;
  /** PUBLISH packets that came. */
  received = 0;
  /** QoS 1 messages without their answer. */
  #unanswered = 0;
  /** QoS 2 messages of earlier connections: they do not count against the receive maximum of this one (5.0, section 4.9). */
  readonly #carried: number;

  constructor(core: BrokerCore, session: Session, outgoing: Outgoing) {
    this.#core = core;
    this.#session = session;
    this.#carried = session.receivedCount;
    this.#outgoing = outgoing;
  }

  /** @throws MqttError where the connection cannot go on */
  receive(packet: PublishPacket): void {
    const core = this.#core;
    const { qos, properties } = packet;
    this.received++;
    core.counters.payloadBytesReceived += packet.end - packet.start;
    const alias = properties?.topicAlias;
    const topic = alias === undefined ? packet.topic : this.#clientAliases.resolve(alias, packet.topic);
    let route = this.#route;
    if (route === undefined || route.topic !== topic) route = this.#takeRoute(topic);
    if (qos === 0) core.counters.received0++;
    else if (!this.#admit(packet.packetId, qos)) return;
    const refusal = route.refusal === 0 ? this.#faultOf(packet, topic) : route.refusal;
    if (refusal !== 0) {
      this.#refuse(packet, refusal);
      return;
    }
    if (route.isRequest) {
      this.#receiveRequest(packet);
      return;
    }
    const { version } = core.subscriptions;
    if (route.version !== version) {
      route.version = version;
      route.matches = core.subscriptions.match(topic);
    }
    const { matches } = route;
    if (
      qos !== 0 &&
      (!matches.plain || packet.retain || this.#pending !== undefined || (qos === 2 && this.#session.isPersistent))
    ) {
      this.#receiveTracked(packet, route);
      return;
    }
    let ticket = 0;
    if (route.claim !== undefined) {
      ticket = this.#accept(route.claim, packet);
      if (ticket === REFUSED) return;
    }
    if (matches.list.length > 0 || packet.retain) {
      const message = this.#messageOf(packet, topic);
      if (packet.retain) core.retained.publish(message);
      core.deliver(message, matches);
    }
    if (qos === 0) return;
    if (ticket !== 0) {
      this.#waiting++;
      core.ring.push(this, packet.packetId, qos, ticket);
    } else this.#decide(packet.packetId, qos, matches.list.length > 0 ? ReasonCode.success : ReasonCode.noMatchingSubscribers);
  }

  /** PUBREL. @throws MqttError */
  release(packetId: number): void {
    const { received, isPersistent, version } = this.#session;
    const state = received.get(packetId);
    if (state === undefined) {
      if (version === 4) this.#outgoing.ack('pubcomp', packetId);
      else this.#outgoing.packet(encodePacket({ type: 'pubcomp', packetId, reasonCode: ReasonCode.packetIdentifierNotFound }, 5));
      return;
    }
    if (state !== 'answered' && state !== 'completing') throw protocolError('(4.3.3)', 'PUBREL before PUBREC');
    if (!isPersistent) {
      received.delete(packetId);
      this.#outgoing.ack('pubcomp', packetId);
      return;
    }
    this.#once.complete(packetId, (code) => {
      if (this.#closed) return;
      if (code >= 0x80) this.#session.connection?.close('log-failed');
      else this.#outgoing.ack('pubcomp', packetId);
    });
  }

  /** The ring says what has become of a message. */
  settle(packetId: number, qos: QoS, code: number): void {
    this.#waiting--;
    if (this.#closed) return;
    if (code >= 0x80) this.#core.counters.dropped['log-rejected']++;
    this.#answer(packetId, qos, code);
  }

  /** An answer is known: those that stand first and are known are given. */
  answerPending(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#closed) return;
    let given = 0;
    for (const { code, packetId, qos } of pending) {
      if (code === undefined) break;
      given++;
      this.#answer(packetId, qos, code);
      if (this.#closed) return;
    }
    if (given === pending.length) this.#pending = undefined;
    else pending.splice(0, given);
  }

  /** Each topic is asked about again. */
  forgetRoutes(): void {
    this.#route = undefined;
    this.#routes = undefined;
  }

  /** Nothing is answered any more. */
  close(): void {
    this.#closed = true;
    // What was refused without its client being told is not taken: it may be sent again by the next connection.
    const { received, isPersistent } = this.#session;
    if (isPersistent) for (const [packetId, state] of received) if (state === 'taken') received.delete(packetId);
    this.forgetRoutes();
    this.#aliases = undefined;
    this.#pending = undefined;
  }

  /** A message that more than the log must have, or whose answer stands behind such a one. */
  #receiveTracked(packet: PublishPacket, route: Route): void {
    const core = this.#core;
    const { packetId, qos } = packet;
    const { claim, topic } = route;
    const once = qos === 2 && this.#session.isPersistent ? this.#once : undefined;
    const known = once !== undefined && packet.dup ? this.#session.marks.get(packetId) : undefined;
    const matches = known === undefined ? route.matches : core.marks.missing(route.matches, known);
    const message = this.#messageOf(packet, topic);
    if (!core.haveRoom(matches, message)) {
      core.counters.dropped['queue-full']++;
      // It rests for a time, not until there is room: acknowledgements that make room may stand behind what it sends.
      if (core.memory.isFull) this.#session.connection?.rest(REFUSED_REST_MS);
      this.#refuse(packet, ReasonCode.quotaExceeded);
      return;
    }
    let ticket = 0;
    if (claim !== undefined) {
      ticket = this.#accept(claim, packet);
      if (ticket === REFUSED) return;
    }
    const pending = new PendingAnswer(this, packetId, qos);
    if (route.matches.list.length === 0 && claim === undefined) pending.atLeast(ReasonCode.noMatchingSubscribers);
    (this.#pending ??= []).push(pending);
    if (qos === 2) this.#session.received.set(packetId, pending);
    const taken = once === undefined ? pending : once.expect(pending, packet.dup);
    if (ticket !== 0) {
      taken.expectElsewhere();
      core.ring.push(taken, packetId, qos, ticket);
    } else this.#followRing(pending, packetId, qos);
    if (packet.retain && !core.retained.publish(message, taken)) taken.atLeast(ReasonCode.quotaExceeded);
    core.deliver(message, matches, taken);
    once?.delivered(pending, taken);
    pending.started();
  }

  /** What the platform answers itself. It is acknowledged once the answers are on their way. */
  #receiveRequest(packet: PublishPacket): void {
    const { packetId, qos } = packet;
    const topic = this.#route?.topic.name ?? '';
    const { key, clientId, principal, connection } = this.#session;
    const payload = copyBytes(packet.data, packet.start, packet.end);
    const request = { client: key, clientId, principal, remoteAddress: connection?.remoteAddress ?? '', topic, payload };
    if (qos === 0) {
      answerRequest(this.#core, this.#session, request, new Afterwards(() => undefined));
      return;
    }
    const pending = new PendingAnswer(this, packetId, qos);
    (this.#pending ??= []).push(pending);
    if (qos === 2) keepOutcome(this.#session, pending);
    this.#followRing(pending, packetId, qos);
    answerRequest(this.#core, this.#session, request, pending);
    pending.started();
  }

  get #once(): TakenOnce {
    return (this.#takenOnce ??= new TakenOnce(this.#core, this.#session));
  }

  /** Its answer stands behind those of this connection that are in the ring. */
  #followRing(pending: PendingAnswer, packetId: number, qos: QoS): void {
    if (this.#waiting === 0) return;
    pending.expect();
    this.#core.ring.pushDecided(pending, packetId, qos, 0);
  }

  /** False for a QoS 2 message that was taken before: it is only answered again [MQTT-4.3.3-10]. */
  #admit(packetId: number, qos: QoS): boolean {
    const { counters, limits } = this.#core;
    const session = this.#session;
    if (qos === 1) {
      counters.received1++;
      this.#unanswered++;
    } else {
      counters.received2++;
      const state = session.received.get(packetId);
      if (state !== undefined) {
        if (state instanceof PendingAnswer) this.#adopt(state);
        else if (state !== 'taken') this.#decide(packetId, qos, ReasonCode.success);
        return false;
      }
      session.received.set(packetId, 'taken');
    }
    if (session.version === 5 && this.#unanswered + session.receivedCount - this.#carried > limits.receiveMaximum) {
      throw new MqttError(
        ReasonCode.receiveMaximumExceeded,
        '[MQTT-3.3.4-7]',
        'more messages unacknowledged than the receive maximum',
      );
    }
    return true;
  }

  /** A QoS 2 message is sent again whose answer is still under way, from a connection that has ended: this one gives it. */
  #adopt(pending: PendingAnswer): void {
    if (pending.inbound === this) return;
    pending.inbound = this;
    this.#followRing(pending, pending.packetId, pending.qos);
    (this.#pending ??= []).push(pending);
  }

  /** @returns the ticket, or REFUSED when the client was told so. */
  #accept(claim: Claim, packet: PublishPacket): number {
    const { intake, logLines } = this.#core;
    try {
      return intake?.accept(claim, packet.data, packet.start, packet.end) ?? 0;
    } catch (error) {
      if (!isSelsynError(error)) throw error;
      this.#core.counters.dropped['log-rejected']++;
      logLines.debug({ err: error, client: this.#session.clientId }, 'the intake refused a message');
      this.#refuse(packet, codeOfIntakeError(error));
      return REFUSED;
    }
  }

  /** The code of a fault of this very message; 0: none. */
  #faultOf(packet: PublishPacket, topic: Topic): number {
    const { counters, retained } = this.#core;
    // Checked where the client says that it is text: its receivers rely on it (5.0, section 3.3.2.3.2).
    if (packet.properties?.payloadIsUtf8 === true && !isUtf8(packet.data.subarray(packet.start, packet.end))) {
      counters.dropped['payload-invalid']++;
      return ReasonCode.payloadFormatInvalid;
    }
    if (!packet.retain) return 0;
    if (!mayRetain(this.#session.principal, topic.name)) return ReasonCode.notAuthorized;
    const sizeBytes = packet.end - packet.start;
    if (sizeBytes === 0 || retained.hasRoom({ topic, sizeBytes: sizeBytes + topic.bytes.length })) return 0;
    counters.dropped['retained-full']++;
    return ReasonCode.quotaExceeded;
  }

  #messageOf(packet: PublishPacket, topic: Topic): Message {
    // Copied when somebody keeps it: most messages are sent on at once.
    const payload = packet.data.subarray(packet.start, packet.end);
    const nowMs = packet.properties === undefined ? 0 : this.#core.clock.monotonicMs();
    return new Message(topic, payload, packet, packet.properties, nowMs, this.#session.key, undefined, false);
  }

  /** Says no by the acknowledgement. At QoS 0 there is none: what will never be allowed closes, a passing fault is counted. */
  #refuse(packet: PublishPacket, code: number): void {
    const { counters } = this.#core;
    if (code === ReasonCode.notAuthorized) counters.dropped['not-authorized']++;
    // The route is that of the packet, also where an alias stands for its topic.
    this.#core.watch.denied(this.#session, 'publish', this.#route?.topic.name ?? '', code);
    if (packet.qos !== 0) this.#decide(packet.packetId, packet.qos, code);
    else if (
      code === ReasonCode.notAuthorized ||
      code === ReasonCode.topicNameInvalid ||
      code === ReasonCode.payloadFormatInvalid
    ) {
      this.#session.connection?.close(reasonOfRefusal(code));
    }
  }

  #decide(packetId: number, qos: QoS, code: number): void {
    const isMarked = qos === 2 && code >= 0x80 && this.#session.isPersistent && this.#once.mustForget(packetId);
    if (this.#pending !== undefined || isMarked) {
      const pending = new PendingAnswer(this, packetId, qos);
      pending.atLeast(code);
      this.#followRing(pending, packetId, qos);
      (this.#pending ??= []).push(pending);
      if (isMarked) {
        pending.expect();
        this.#once.forget(pending, code);
      }
      pending.started();
    } else if (this.#waiting === 0) this.#answer(packetId, qos, code);
    else {
      this.#waiting++;
      this.#core.ring.pushDecided(this, packetId, qos, code);
    }
  }

  #answer(packetId: number, qos: QoS, code: number): void {
    const { version, connection, received } = this.#session;
    // 3.1.1 has no way to refuse, and acknowledging what was dropped would be a lie [MQTT-3.3.5-2 of 3.1.1].
    if (version === 4 && code >= 0x80) {
      connection?.close(reasonOfRefusal(code));
      return;
    }
    if (qos === 1) this.#unanswered--;
    // A refused id is free again at once [MQTT-4.3.3-9].
    else if (code >= 0x80) received.delete(packetId);
    else if (received.get(packetId) !== 'completing') received.set(packetId, 'answered');
    const type = qos === 1 ? 'puback' : 'pubrec';
    this.#core.counters.codes.sent(type, code);
    if (code === 0 || version === 4) this.#outgoing.ack(type, packetId);
    else this.#outgoing.packet(encodePacket({ type, packetId, reasonCode: code }, 5));
  }

  /** What an alias of the client stands for; undefined: nothing. */
  topicOfAlias(alias: number): string | undefined {
    return this.#aliases?.nameOf(alias);
  }

  get #clientAliases(): ClientAliases {
    return (this.#aliases ??= new ClientAliases(this.#core.limits.topicAliasMaximum));
  }

  #takeRoute(topic: Topic): Route {
    let route = this.#routes?.get(topic);
    if (route === undefined) {
      route = openRoute(this.#core, this.#session.principal, topic);
      if (this.#route !== undefined) {
        this.#routes ??= new Map([[this.#route.topic, this.#route]]);
        if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
        this.#routes.set(topic, route);
      }
    }
    this.#route = route;
    return route;
  }
}

const REFUSED = -1;
/** For a publisher that is refused as the memory of all is full, so that it does not try again as fast as it can. */
const REFUSED_REST_MS = 100;
/** Topics of one connection whose routes are kept. */
const MAX_ROUTES = 256;
