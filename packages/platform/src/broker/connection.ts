import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { MqttError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type { Packet, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { BrokerCore, PausedReader } from './broker-core.ts';
import { CLOSE_REASONS, type CloseReason, IMPOSED_REASONS, reasonOfCode } from './close-reasons.ts';
import { keepAliveOf } from './handshake.ts';
import { stampedAtMs } from './client-watch.ts';
import type { ConnectionFacts } from './inspection.ts';
import { goodbyeOf, type LastWords, refusalOf } from './last-words.ts';
import { type Admitting, type Opened, Opening, type OpeningHost } from './opening.ts';
import type { OutboundHost } from './outbound-link.ts';
import { Outgoing, type Traced } from './outgoing.ts';
import { Pace } from './pace.ts';
import { PublishSender } from './publish-sender.ts';
import { codeWords } from './reason-words.ts';
import { Serving } from './serving.ts';
import type { Session } from './session.ts';
import type { OpenedSession } from './sessions.ts';
import { mostUnread, StallWatch } from './stall-watch.ts';
import { TopicAliases } from './topic-aliases.ts';
import type { Tracing } from './trace.ts';
import type { Transport, TransportListener } from './transport.ts';

/** The owner of the connections. */
export interface ConnectionHost extends Admitting {
  /** Nothing of the connection is left. */
  forget(connection: Connection): void;
}

/**
 * One client's connection: CONNECT, then packets, then a reasoned end.
 *
 * ```
 *   connecting ──CONNECT──▶ deciding ──session──▶ opening ──CONNACK 0──▶ open ──▶ closing ──▶ closed
 *        └────────────────────┴── CONNACK with a code ──┴─────────────────────────────▲
 * ```
 * `deciding`: the authorizer is asked, with AUTH packets where the client wants that. `opening`: what opening the session changed
 * is being stored.
 * `closing`: the last bytes are on their way, this direction is ended, and input is read and thrown away, because closing a
 * socket with unread input would take the last bytes with it.
 */
export class Connection implements TransportListener, OpeningHost, OutboundHost, PausedReader, Traced {
  readonly #core: BrokerCore;
  readonly #host: ConnectionHost;
  readonly #transport: Transport;
  readonly #decoder: PacketDecoder;
  readonly #outgoing: Outgoing;
  #state: 'connecting' | 'deciding' | 'opening' | 'open' | 'closing' | 'closed' = 'connecting';
  /** No packet is taken: it waits for the authorizer or the intake, or it is over. */
  #halted = false;
  /** The client has ended its direction. */
  #ended = false;
  /** For good. */
  #stopped = false;
  /** Until the connection is open. */
  #opening: Opening | undefined;
  /** From `opening` on. */
  #session: Session | undefined;
  #serving: Serving | undefined;
  readonly #pace: Pace | undefined;
  /** 0 until it is open. */
  stamp = 0;
  /** Whether a whole packet came in since the last sweep. */
  #active = false;
  #lastActiveMs = 0;
  #keepAliveMs = 0;
  /** The largest packet that the client takes. */
  #maxPacketBytes = Infinity;
  readonly #stall = new StallWatch();
  /** When `connecting`, `deciding`, `opening` or `closing` has lasted long enough. */
  #deadlineMs: number;

  constructor(core: BrokerCore, host: ConnectionHost, transport: Transport) {
    this.#core = core;
    this.#host = host;
    this.#transport = transport;
    this.#decoder = new PacketDecoder({ maxPacketBytes: core.limits.maxPacketBytes, from: 'client', topics: core.topics });
    this.#outgoing = new Outgoing(transport, core, this);
    this.#opening = new Opening({ core, admitting: host, host: this, transport, outgoing: this.#outgoing });
    this.#pace = Pace.of(core.limits);
    this.#deadlineMs = core.clock.monotonicMs() + core.limits.connectDeadlineMs;
  }

  /** What its socket has not taken. */
  get backlogBytes(): number {
    return this.#outgoing.backlogBytes;
  }

  /** Of a packet whose rest has not come. */
  get partialBytes(): number {
    return this.#decoder.bufferedBytes;
  }

  get clientId(): string {
    return this.#session?.clientId ?? this.#opening?.clientId ?? '';
  }

  get version(): ProtocolVersion {
    return this.#decoder.version;
  }

  get remoteAddress(): string {
    return this.#transport.remoteAddress;
  }

  get tracing(): Tracing | undefined {
    return this.#core.watch.tracing;
  }

  get facts(): ConnectionFacts {
    const outbound = this.#session?.outbound;
    return {
      door: this.#transport.door,
      remoteAddress: this.remoteAddress,
      openedAtMs: this.stamp === 0 ? this.#core.clock.now() : stampedAtMs(this.stamp),
      keepAliveSec: this.#keepAliveMs / 1_500,
      receiveMaximum: outbound?.window ?? 0,
      messagesReceived: this.#serving?.inbound.received ?? 0,
      messagesSent: outbound?.link?.sender.sent ?? 0,
      messagesDropped: outbound?.dropped ?? 0,
    };
  }

  topicOfAlias(direction: 'in' | 'out', alias: number): string | undefined {
    return direction === 'in'
      ? this.#serving?.inbound.topicOfAlias(alias)
      : this.#session?.outbound.link?.sender.topicOfAlias(alias);
  }

  onData(chunk: Uint8Array): void {
    this.#core.counters.bytesReceived += chunk.length;
    this.#pace?.spendBytes(chunk.length, this.#core.clock.monotonicMs());
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#decoder.feed(chunk);
    if (this.#core.saturated) this.#haltReading();
    else if (this.backlogBytes > mostUnread(this.#core.limits)) this.#awaitReader();
    else this.#takePackets();
  }

  onDrain(): void {
    if (this.#state !== 'open') return;
    this.#session?.outbound.pump();
    if (this.#stall.awaitsReader) this.#checkReader(this.#core.clock.monotonicMs());
  }

  /** The client sends no more; what it has sent is heard first, also where that has to wait. */
  onEnd(): void {
    this.#ended = true;
    if (!this.#halted) this.close('connection-lost');
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
    if (this.#session !== undefined) this.#core.retained.delivery.resume(this.#session);
  }

  onStoreFailed(): void {
    this.#core.closeSoon(this, 'log-failed');
  }

  /** What it waited for is over. */
  continueReading(): void {
    if (this.#state !== 'connecting' && this.#state !== 'open' && this.#opening?.awaitsAuth !== true) return;
    this.#lastActiveMs = this.#core.clock.monotonicMs();
    this.goOn();
  }

  halt(): void {
    this.#state = 'deciding';
    this.#halted = true;
    this.#transport.pause();
  }

  goOn(): void {
    this.#halted = this.#stopped;
    this.#takePackets();
    if (this.#halted) return;
    if (this.#ended) this.close('connection-lost');
    else this.#transport.resume();
  }

  onSession({ session }: OpenedSession): void {
    this.#session = session;
    this.#state = 'opening';
  }

  onOpened(opened: Opened): void {
    const { session, packet, connack } = opened;
    const { limits, counters, clock } = this.#core;
    this.#serving = new Serving({ core: this.#core, connection: this, outgoing: this.#outgoing, opened });
    this.#opening = undefined;
    this.#state = 'open';
    this.#maxPacketBytes = packet.properties.maxPacketBytes ?? Infinity;
    this.#keepAliveMs = keepAliveOf(packet, limits) * 1_500;
    this.#lastActiveMs = clock.monotonicMs();
    counters.accepted++;
    counters.codes.sent('connack', ReasonCode.success);
    this.stamp = this.#core.watch.stamp();
    this.#outgoing.packet(connack);
    const aliases = Math.min(packet.properties.topicAliasMaximum ?? 0, limits.topicAliasMaximum);
    session.outbound.attach({
      sender: new PublishSender({
        outgoing: this.#outgoing,
        version: packet.version,
        maxPacketBytes: this.#maxPacketBytes,
        aliases: aliases === 0 ? undefined : new TopicAliases(aliases),
        shared: this.#core,
      }),
      receiveMaximum: packet.properties.receiveMaximum ?? 65_535,
      host: this,
    });
    this.#core.watch.opened(session, this);
    // What it had still to be sent of what was retained when it went.
    this.#core.retained.delivery.resume(session);
    this.goOn();
  }

  rest(forMs: number): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#transport.pause();
    this.#core.clock.after(forMs, () => this.continueReading());
  }

  accessChanged(): void {
    this.#serving?.inbound.forgetRoutes();
  }

  /** Takes no more packets: the broker is about to close. What was taken can still be answered. */
  stopReading(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#stopped = true;
    this.#halted = true;
    this.#transport.pause();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** Ends the connection, and the session if it does not outlive it; a 5.0 client is told why [MQTT-4.13.1-1]. */
  close(reason: CloseReason, code: number | undefined = CLOSE_REASONS[reason], words?: string): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    const session = this.#session;
    const { limits } = this.#core;
    if (this.#state === 'open' && session?.version === 5 && code !== undefined)
      this.#say('disconnect', goodbyeOf({ reason, code, words, limits, maxPacketBytes: this.#maxPacketBytes }));
    this.#end();
    if (session === undefined) return;
    this.#core.counters.closed[reason]++;
    const fields = { client: session.clientId, principal: session.principal.id, code, words };
    this.#core.ends.write(IMPOSED_REASONS.has(reason) ? 'warn' : 'info', reason, fields);
    this.#core.watch.closed(session, this, reason, code);
    this.#host.sessions.leave(session, reason !== 'client-disconnect');
  }

  /** Answers CONNECT with a code, where its version has one for it, and closes [MQTT-3.2.2-7]. */
  refuse(code: number | undefined, reason?: string): void {
    const session = this.#session;
    if (this.#state === 'opening' && session !== undefined) this.#host.sessions.leave(session, false);
    else if (this.#state !== 'connecting' && this.#state !== 'deciding') return;
    this.#core.counters.refused++;
    const words = reason ?? codeWords(code ?? ReasonCode.protocolError);
    this.#core.ends.write('warn', 'refused', { client: this.clientId, address: this.remoteAddress, code, words });
    if (code !== undefined) {
      if (this.clientId !== '') this.#core.watch.refused(this.clientId, words, code);
      const { maxPacketBytes = Infinity } = this.#opening ?? {};
      this.#say('connack', refusalOf({ code, version: this.#decoder.version, limits: this.#core.limits, maxPacketBytes }));
    }
    this.#end();
  }

  /** Looks at the time; called about once a second. */
  sweep(nowMs: number): void {
    switch (this.#state) {
      case 'connecting':
      case 'deciding':
      case 'opening':
        if (nowMs < this.#deadlineMs) return;
        this.#core.counters.connectTimeouts++;
        this.#core.ends.write('info', 'connect-timeout', { client: this.clientId, address: this.remoteAddress });
        if (this.#state === 'connecting') this.#transport.destroy();
        else this.refuse(ReasonCode.serverUnavailable);
        return;
      case 'open':
        if (this.#active || this.#halted) {
          this.#active = false;
          this.#lastActiveMs = nowMs;
          this.#stall.partialSinceMs = nowMs;
        } else if (this.#keepAliveMs > 0 && nowMs - this.#lastActiveMs >= this.#keepAliveMs) this.close('keep-alive'); // [MQTT-3.1.2-22]
        else if (this.#stall.tooSlow(this.partialBytes, nowMs, this.#core)) this.close('packet-too-slow');
        if (this.#stall.awaitsReader) this.#checkReader(nowMs);
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
        this.#core.counters.packetsReceived++;
        this.tracing?.received(this, packet, decoder.packetBytes);
        if (this.#serving === undefined) this.#opening?.take(packet);
        else {
          this.#serving.take(packet);
          if (this.#pace !== undefined) this.#keepPace(this.#pace, packet.type);
        }
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #haltReading(): void {
    this.#halted = true;
    this.#transport.pause();
    this.#core.pause(this);
  }

  /** A client that is too fast is not read for a while. */
  #keepPace(pace: Pace, type: Packet['type']): void {
    const waitMs = pace.spendPacket(type, this.#core.clock.monotonicMs());
    if (waitMs > 0) this.rest(waitMs);
  }

  /** A client that does not read what it is answered is not asked for more. */
  #awaitReader(): void {
    this.#core.counters.readingPauses++;
    this.#halted = true;
    this.#transport.pause();
    this.#stall.awaitReader(this.backlogBytes, this.#core.clock.monotonicMs());
  }

  #checkReader(nowMs: number): void {
    const state = this.#stall.checkReader(this.backlogBytes, nowMs, this.#core.limits);
    if (state === 'reads') this.continueReading();
    else if (state === 'gone') this.close('not-reading');
  }

  #say(packet: 'connack' | 'disconnect', words: LastWords | undefined): void {
    if (words === undefined) return;
    this.#outgoing.packet(words.bytes);
    this.#core.counters.codes.sent(packet, words.code);
  }

  #end(): void {
    this.#state = 'closing';
    this.#halted = true;
    this.#deadlineMs = this.#core.clock.monotonicMs() + this.#core.limits.closeGraceMs;
    this.#opening?.abandon();
    this.#serving?.close();
    this.#outgoing.flush();
    this.#transport.end();
    this.#transport.resume();
  }

  #fail(error: unknown): void {
    if (error instanceof MqttError) {
      this.#core.logLines.debug({ err: error, client: this.#session?.clientId }, 'a client broke the protocol');
      if (this.#session !== undefined) this.close(reasonOfCode(error.reasonCode), error.reasonCode, error.message);
      else this.#refuseMalformed(error);
      return;
    }
    this.#core.logLines.error({ err: error, client: this.#session?.clientId }, 'a packet could not be handled');
    if (this.#session !== undefined) this.close('internal');
    else this.refuse(ReasonCode.unspecifiedError);
  }

  #refuseMalformed({ connack, message }: MqttError): void {
    if (this.#state !== 'connecting' && this.#state !== 'deciding') return;
    this.#core.counters.refused++;
    this.#core.ends.write('warn', 'refused', { address: this.remoteAddress, code: connack?.code, words: message });
    if (connack !== undefined) {
      const { code, version } = connack;
      const bytes = encodePacket({ type: 'connack', sessionPresent: false, reasonCode: code, properties: {} }, version);
      this.#say('connack', { bytes, code });
    }
    this.#end();
  }
}
