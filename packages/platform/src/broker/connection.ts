import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { MqttError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type {
  ConnectPacket,
  DisconnectPacket,
  Packet,
  ProtocolVersion,
  SubackPacket,
  SubscribePacket,
} from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Authorizer, Principal, Refusal } from './authorizer.ts';
import type { BrokerCore, PausedReader } from './broker-core.ts';
import { CLOSE_REASONS, type CloseReason, reasonOfCode } from './close-reasons.ts';
import { codeOfRefusal, connackCode } from './connect-codes.ts';
import { connackProperties, keepAliveOf, refusalOfConnect, refusalOfWill } from './handshake.ts';
import { Inbound } from './inbound.ts';
import { Outbound, type OutboundHost } from './outbound.ts';
import { Outgoing } from './outgoing.ts';
import { Session, type SessionConnection } from './session.ts';
import { subscribe, unsubscribe } from './subscribing.ts';
import type { Transport, TransportListener } from './transport.ts';
import { keepWill } from './will-message.ts';

/** The owner of the connections. */
export interface ConnectionHost {
  readonly authorizer: Authorizer;
  newClientId(): string;
  /** The session takes its place, and that of any other with its key. */
  openSession(session: Session): void;
  endSession(session: Session, withWill: boolean): void;
  /** Nothing of the connection is left. */
  forget(connection: Connection): void;
}

/**
 * One client's connection: CONNECT, then packets, then a reasoned end.
 *
 * ```
 *   connecting ──CONNECT──▶ deciding ──CONNACK 0──▶ open ──▶ closing ──▶ closed
 *        └──────────────────────┴── CONNACK with a code ──────▲
 * ```
 * `closing`: the last bytes are on their way, this direction is ended, and input is read and thrown away, because closing a
 * socket with unread input would take the last bytes with it.
 */
export class Connection implements TransportListener, SessionConnection, OutboundHost, PausedReader {
  readonly #core: BrokerCore;
  readonly #host: ConnectionHost;
  readonly #transport: Transport;
  readonly #decoder: PacketDecoder;
  readonly #outgoing: Outgoing;
  #state: 'connecting' | 'deciding' | 'open' | 'closing' | 'closed' = 'connecting';
  /** No packet is taken: it waits for the authorizer or the intake, or it is over. */
  #halted = false;
  #session: Session | undefined;
  #inbound: Inbound | undefined;
  /** Whether a whole packet came in since the last sweep. */
  #active = false;
  #lastActiveMs = 0;
  #keepAliveMs = 0;
  /** The largest packet that the client takes. */
  #maxPacketBytes = Infinity;
  /** The CONNECT asked for a session that ends with the connection. */
  #expiryIsZero = true;
  /** When `connecting`, `deciding` or `closing` has lasted long enough. */
  #deadlineMs: number;

  constructor(core: BrokerCore, host: ConnectionHost, transport: Transport) {
    this.#core = core;
    this.#host = host;
    this.#transport = transport;
    this.#decoder = new PacketDecoder({ maxPacketBytes: core.limits.maxPacketBytes, from: 'client', topics: core.topics });
    this.#outgoing = new Outgoing(transport, core);
    this.#deadlineMs = core.clock.monotonicMs() + core.limits.connectDeadlineMs;
  }

  onData(chunk: Uint8Array): void {
    this.#core.counters.bytesReceived += chunk.length;
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#decoder.feed(chunk);
    if (this.#core.saturated) this.#haltReading();
    else this.#takePackets();
  }

  onDrain(): void {
    if (this.#state === 'open') this.#session?.outbound.pump();
  }

  onEnd(): void {
    this.close('connection-lost');
  }

  onClose(): void {
    this.close('connection-lost');
    this.#state = 'closed';
    this.#outgoing.discard();
    this.#host.forget(this);
  }

  onOverflow(): void {
    this.#core.closeSoon(this, 'slow-subscriber');
  }

  onReady(): void {
    if (this.#session !== undefined) this.#core.retainedDelivery.resume(this.#session);
  }

  /** Nothing is saturated any more. */
  continueReading(): void {
    if (this.#state !== 'connecting' && this.#state !== 'open') return;
    this.#halted = false;
    this.#lastActiveMs = this.#core.clock.monotonicMs();
    this.#goOn();
  }

  /** Takes no more packets: the broker is about to close. What was taken can still be answered. */
  stopReading(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#halted = true;
    this.#transport.pause();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** Ends the session and the connection; a 5.0 client is told why [MQTT-4.13.1-1]. */
  close(reason: CloseReason, code: number | undefined = CLOSE_REASONS[reason]): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    const session = this.#session;
    if (this.#state === 'open' && session?.version === 5 && code !== undefined) {
      this.#outgoing.packet(encodePacket({ type: 'disconnect', reasonCode: code }, 5));
    }
    this.#end();
    if (session === undefined) return;
    this.#core.counters.closed[reason]++;
    this.#core.logLines.debug({ client: session.clientId, principal: session.principal.id, reason }, 'a session has ended');
    this.#host.endSession(session, reason !== 'client-disconnect');
  }

  /** Looks at the time; called about once a second. */
  sweep(nowMs: number): void {
    switch (this.#state) {
      case 'connecting':
      case 'deciding':
        if (nowMs < this.#deadlineMs) return;
        this.#core.counters.connectTimeouts++;
        if (this.#state === 'deciding') this.#refuse(ReasonCode.serverUnavailable);
        else this.#transport.destroy();
        return;
      case 'open':
        if (this.#active || this.#halted) {
          this.#active = false;
          this.#lastActiveMs = nowMs;
        } else if (this.#keepAliveMs > 0 && nowMs - this.#lastActiveMs >= this.#keepAliveMs) this.close('keep-alive'); // [MQTT-3.1.2-22]
        return;
      case 'closing':
        if (nowMs >= this.#deadlineMs) this.#transport.destroy();
        return;
      case 'closed':
        return;
    }
  }

  #takePackets(): void {
    const decoder = this.#decoder;
    try {
      while (!this.#halted) {
        const packet = decoder.next();
        if (packet === undefined) return;
        this.#active = true;
        if (packet.type === 'publish' && this.#inbound !== undefined) this.#inbound.receive(packet);
        else this.#take(packet);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(packet: Packet): void {
    const session = this.#session;
    if (session === undefined) {
      // A client's first packet is CONNECT [MQTT-3.1.0-1]; there is no answer to anything else.
      if (packet.type === 'connect') this.#connect(packet);
      else this.#refuse(undefined);
      return;
    }
    switch (packet.type) {
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        session.outbound.acknowledge(packet);
        return;
      case 'pubrel':
        this.#inbound?.release(packet.packetId);
        return;
      case 'subscribe':
        this.#subscribe(session, packet);
        return;
      case 'unsubscribe':
        this.#answer({ type: 'unsuback', packetId: packet.packetId, reasonCodes: unsubscribe(this.#core, session, packet) });
        return;
      case 'pingreq':
        this.#outgoing.packet(PINGRESP); // [MQTT-3.12.4-1]
        return;
      case 'disconnect':
        this.#disconnect(packet);
        return;
      default:
        // A second CONNECT [MQTT-3.1.0-2], AUTH that nobody asked for [MQTT-4.12.0-6], or what only a server sends.
        this.close('protocol-error');
    }
  }

  #connect(packet: ConnectPacket): void {
    this.#maxPacketBytes = packet.properties.maxPacketBytes ?? Infinity;
    const refusal = refusalOfConnect(packet, this.#core.counters.sessions, this.#core.limits);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    this.#state = 'deciding';
    this.#halted = true;
    this.#transport.pause();
    const clientId = packet.clientId === '' ? this.#host.newClientId() : packet.clientId;
    const { username, password } = packet;
    const { remoteAddress, certificate } = this.#transport;
    this.#host.authorizer
      .authenticate({ clientId, username, password, remoteAddress, certificate })
      .then((verdict) => this.#decide(packet, clientId, verdict))
      .catch((error: unknown) => {
        this.#core.logLines.error({ err: error, client: clientId }, 'a client could not be let in');
        if (this.#session === undefined) this.#refuse(ReasonCode.serverUnavailable);
        else this.close('internal');
      });
  }

  #decide(packet: ConnectPacket, clientId: string, verdict: Principal | Refusal): void {
    if (this.#state !== 'deciding') return;
    if ('refused' in verdict) {
      this.#core.logLines.debug({ client: clientId, refused: verdict.refused, reason: verdict.reason }, 'a client was refused');
      this.#refuse(codeOfRefusal(verdict));
      return;
    }
    const refusal = refusalOfWill(packet, verdict, this.#core.limits);
    if (refusal !== undefined) this.#refuse(refusal);
    else this.#open(packet, clientId, verdict);
  }

  #open(packet: ConnectPacket, clientId: string, principal: Principal): void {
    const { limits, counters, clock } = this.#core;
    const properties = connackProperties(packet, clientId, limits);
    const connack = encodePacket({ type: 'connack', sessionPresent: false, reasonCode: 0, properties }, packet.version);
    if (connack.length > this.#maxPacketBytes) {
      this.#refuse(ReasonCode.packetTooLarge);
      return;
    }
    const session = new Session({
      clientId,
      principal,
      version: packet.version,
      connection: this,
      will: packet.will === undefined ? undefined : keepWill(packet.will),
      outbound: new Outbound({
        outgoing: this.#outgoing,
        version: packet.version,
        receiveMaximum: packet.properties.receiveMaximum ?? 65_535,
        maxPacketBytes: this.#maxPacketBytes,
        shared: this.#core,
        host: this,
      }),
    });
    this.#session = session;
    this.#inbound = new Inbound(this.#core, session, this.#outgoing);
    this.#state = 'open';
    this.#expiryIsZero = (packet.properties.sessionExpirySec ?? 0) === 0;
    this.#keepAliveMs = keepAliveOf(packet, limits) * 1_500;
    this.#lastActiveMs = clock.monotonicMs();
    counters.accepted++;
    this.#host.openSession(session);
    this.#outgoing.packet(connack);
    this.#halted = false;
    this.#goOn();
  }

  #goOn(): void {
    this.#takePackets();
    if (!this.#halted) this.#transport.resume();
  }

  #haltReading(): void {
    this.#halted = true;
    this.#transport.pause();
    this.#core.pause(this);
  }

  #subscribe(session: Session, packet: SubscribePacket): void {
    const { codes, retainedDue } = subscribe(this.#core, session, packet);
    // 3.1.1 has one code for every refusal.
    const reasonCodes = session.version === 5 ? codes : codes.map((code) => (code >= 0x80 ? 0x80 : code));
    const answer = (): void => {
      if (!session.open) return;
      this.#answer({ type: 'suback', packetId: packet.packetId, reasonCodes });
      for (const filter of retainedDue) this.#core.retainedDelivery.start(session, filter);
    };
    // A SUBACK promises that what is published from now on is delivered, through whichever thread.
    if (this.#core.bus === undefined) answer();
    else void this.#core.bus.settled().then(answer);
  }

  /** No client is sent a packet larger than it takes [MQTT-3.1.2-24]; of those of an open session only these can be. */
  #answer(packet: SubackPacket): void {
    const bytes = encodePacket(packet, this.#session?.version ?? 4);
    if (bytes.length > this.#maxPacketBytes) this.close('packet-too-large');
    else this.#outgoing.packet(bytes);
  }

  #disconnect(packet: DisconnectPacket): void {
    // A session whose expiry was 0 cannot be made to live longer now [MQTT-3.14.2-2].
    if (packet.sessionExpirySec !== undefined && packet.sessionExpirySec > 0 && this.#expiryIsZero) this.close('protocol-error');
    else if (packet.reasonCode === ReasonCode.success) this.close('client-disconnect');
    else this.close('client-disconnect-with-will'); // [MQTT-3.1.2-8]
  }

  /** Answers CONNECT with a code, where its version has one for it, and closes [MQTT-3.2.2-7]. */
  #refuse(code: number | undefined, version: ProtocolVersion = this.#decoder.version): void {
    if (this.#state !== 'connecting' && this.#state !== 'deciding') return;
    this.#core.counters.refused++;
    const reasonCode = code === undefined ? undefined : connackCode(code, version);
    if (reasonCode !== undefined) {
      const bytes = encodePacket({ type: 'connack', sessionPresent: false, reasonCode, properties: {} }, version);
      if (bytes.length <= this.#maxPacketBytes) this.#outgoing.packet(bytes); // [MQTT-3.1.2-24]
    }
    this.#end();
  }

  #end(): void {
    this.#state = 'closing';
    this.#halted = true;
    this.#deadlineMs = this.#core.clock.monotonicMs() + this.#core.limits.closeGraceMs;
    this.#inbound?.close();
    this.#outgoing.flush();
    this.#transport.end();
    this.#transport.resume();
  }

  #fail(error: unknown): void {
    if (error instanceof MqttError) {
      this.#core.logLines.debug({ err: error, client: this.#session?.clientId }, 'a client broke the protocol');
      if (this.#session !== undefined) this.close(reasonOfCode(error.reasonCode), error.reasonCode);
      else this.#refuseMalformed(error);
      return;
    }
    this.#core.logLines.error({ err: error, client: this.#session?.clientId }, 'a packet could not be handled');
    if (this.#session !== undefined) this.close('internal');
    else this.#refuse(ReasonCode.unspecifiedError);
  }

  #refuseMalformed({ connack }: MqttError): void {
    if (this.#state !== 'connecting' && this.#state !== 'deciding') return;
    this.#core.counters.refused++;
    if (connack !== undefined) {
      const { code, version } = connack;
      this.#outgoing.packet(encodePacket({ type: 'connack', sessionPresent: false, reasonCode: code, properties: {} }, version));
    }
    this.#end();
  }
}

const PINGRESP = encodePacket({ type: 'pingresp' }, 5);
