import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { AuthPacket, ConnectPacket, Packet } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { Admission, type Verdict } from './admission.ts';
import type { Authorizer, ClientCertificate, ConnectRequest, Principal } from './authorizer.ts';
import { authPacket } from './auth-packet.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards } from './completion.ts';
import { connackProperties, refusalOfConnect, refusalOfSession, refusalOfWill, sessionExpiryOf } from './handshake.ts';
import type { BrokerLimits } from './limits.ts';
import type { Outgoing } from './outgoing.ts';
import { sessionKey, type SessionConnection } from './session.ts';
import type { OpenedSession, Sessions } from './sessions.ts';
import type { Transport } from './transport.ts';
import { keepWill } from './will-message.ts';

/** What a connection has once its session is open. */
export interface Opened extends OpenedSession {
  readonly packet: ConnectPacket;
  readonly clientId: string;
  readonly connack: Uint8Array;
  /** Where the client was authenticated by a method: it may be again. */
  readonly admission: Admission | undefined;
}

/** The connection that is being opened. */
export interface OpeningHost extends SessionConnection {
  /** No packet is to be taken until `goOn`. */
  halt(): void;
  goOn(): void;
  /** Answers with a CONNACK of this code, where the version has one for it, and closes. The reason is for the operator. */
  refuse(code: number | undefined, reason?: string): void;
  /** The session has this connection; what opening it changed is being stored. */
  onSession(opened: OpenedSession): void;
  onOpened(opened: Opened): void;
}

/** What is needed of the broker. */
export interface Admitting {
  readonly authorizer: Authorizer;
  readonly sessions: Sessions;
  newClientId(): string;
}

/**
 * The first packets of a connection: CONNECT, AUTH packets where the client wants enhanced authentication, and then the session.
 */
export class Opening {
  readonly #core: BrokerCore;
  readonly #admitting: Admitting;
  readonly #host: OpeningHost;
  readonly #transport: Transport;
  readonly #outgoing: Outgoing;
  #packet: ConnectPacket | undefined;
  #clientId = '';
  #admission: Admission | undefined;
  #awaitsAuth = false;
  #over = false;

  constructor(options: {
    readonly core: BrokerCore;
    readonly admitting: Admitting;
    readonly host: OpeningHost;
    readonly transport: Transport;
    readonly outgoing: Outgoing;
  }) {
    this.#core = options.core;
    this.#admitting = options.admitting;
    this.#host = options.host;
    this.#transport = options.transport;
    this.#outgoing = options.outgoing;
  }

  get clientId(): string {
    return this.#clientId;
  }

  /** The largest packet that the client takes. */
  get maxPacketBytes(): number {
    return this.#packet?.properties.maxPacketBytes ?? Infinity;
  }

  /** True while the client has a challenge to answer: AUTH is read then. */
  get awaitsAuth(): boolean {
    return this.#awaitsAuth;
  }

  /** Nobody waits for what it comes to any more. */
  abandon(): void {
    this.#over = true;
    this.#awaitsAuth = false;
  }

  take(packet: Packet): void {
    // A client's first packet is CONNECT [MQTT-3.1.0-1]; there is no answer to anything else.
    if (packet.type === 'connect' && this.#packet === undefined) this.#connect(packet);
    else if (packet.type === 'auth' && this.#awaitsAuth) this.#authenticate(packet);
    else if (packet.type === 'disconnect' && this.#awaitsAuth) this.#host.refuse(undefined);
    else this.#host.refuse(this.#packet === undefined ? undefined : ReasonCode.protocolError);
  }

  #connect(packet: ConnectPacket): void {
    const { clock } = this.#core;
    this.#packet = packet;
    this.#clientId = packet.clientId;
    let refusal = refusalOfConnect(packet);
    if (refusal === undefined && !this.#core.admits(clock.monotonicMs())) refusal = ReasonCode.serverBusy;
    if (refusal !== undefined) {
      this.#host.refuse(refusal);
      return;
    }
    if (packet.clientId === '') this.#clientId = this.#admitting.newClientId();
    const request = new Request(this.#transport, this.#clientId, packet);
    this.#admission = new Admission(this.#admitting.authorizer, request, packet);
    this.#await(this.#admission.begin(packet.properties.authenticationData));
  }

  #authenticate(packet: AuthPacket): void {
    const admission = this.#admission;
    if (packet.reasonCode === ReasonCode.continueAuthentication && admission !== undefined) this.#await(admission.next(packet));
    else this.#host.refuse(ReasonCode.protocolError);
  }

  /** Takes no packet until the authorizer has said something. */
  #await(asked: Promise<Verdict>): void {
    this.#awaitsAuth = false;
    this.#host.halt();
    asked
      .then((verdict) => this.#decide(verdict))
      .catch((error: unknown) => {
        this.#core.ends.write('error', 'authorizer-failed', { err: error, client: this.#clientId });
        if (this.#over) this.#host.close('internal');
        else this.#host.refuse(ReasonCode.serverUnavailable);
      });
  }

  #decide(verdict: Verdict): void {
    const packet = this.#packet;
    const admission = this.#admission;
    if (this.#over || packet === undefined || admission === undefined) return;
    switch (verdict.kind) {
      case 'refused':
        this.#core.logLines.debug({ client: this.#clientId, code: verdict.code, reason: verdict.reason }, 'a client was refused');
        this.#host.refuse(verdict.code, verdict.reason);
        return;
      case 'challenge':
        this.#challenge(admission, verdict.data);
        return;
      case 'granted': {
        const { limits, counters } = this.#core;
        const found = this.#admitting.sessions.get(sessionKey(verdict.principal, this.#clientId));
        const refusal = refusalOfSession(found, counters, limits) ?? refusalOfWill(packet, verdict.principal, limits);
        if (refusal !== undefined) this.#host.refuse(refusal);
        else this.#open(packet, admission, verdict.principal, verdict.data);
      }
    }
  }

  #challenge(admission: Admission, data: Uint8Array): void {
    const bytes = authPacket(ReasonCode.continueAuthentication, admission, data); // [MQTT-4.12.0-2]
    if (bytes.length > this.maxPacketBytes) {
      this.#host.refuse(ReasonCode.packetTooLarge); // [MQTT-3.1.2-24]
      return;
    }
    this.#outgoing.packet(bytes);
    this.#awaitsAuth = true;
    this.#host.goOn();
  }

  #open(packet: ConnectPacket, admission: Admission, principal: Principal, data: Uint8Array | undefined): void {
    const { store } = this.#core;
    const limits = limitsFor(principal, this.#core.limits);
    const clientId = this.#clientId;
    const properties = {
      ...connackProperties(packet, clientId, limits),
      ...(admission.method !== undefined && { authenticationMethod: admission.method }),
      ...(data !== undefined && { authenticationData: data }),
    };
    const connackOf = (sessionPresent: boolean): Uint8Array =>
      encodePacket({ type: 'connack', sessionPresent, reasonCode: 0, properties }, packet.version);
    if (connackOf(false).length > this.maxPacketBytes) {
      this.#host.refuse(ReasonCode.packetTooLarge);
      return;
    }
    const opened = this.#admitting.sessions.open({
      clientId,
      principal,
      version: packet.version,
      cleanStart: packet.cleanStart,
      expirySec: sessionExpiryOf(packet, limits),
      will: packet.will === undefined ? undefined : keepWill(packet.will),
      connection: this.#host,
    });
    this.#host.onSession(opened);
    const go = (code: number): void => {
      if (this.#over) return;
      if (code >= 0x80) this.#host.refuse(ReasonCode.serverUnavailable);
      else {
        this.#over = true;
        const again = admission.method === undefined ? undefined : admission;
        this.#host.onOpened({ ...opened, packet, clientId, admission: again, connack: connackOf(opened.present) });
      }
    };
    // Before CONNACK is out it is stored that there is a session, or no more the one of before, and a client that begins anew
    // where it happens to be has ended what it had in other threads [MQTT-3.1.2-4, MQTT-3.1.4-3].
    const bus = packet.cleanStart && !opened.session.isPersistent ? this.#core.bus : undefined;
    const waiting = new Afterwards(go);
    if (opened.ticket !== 0) {
      waiting.expect();
      store.after(opened.ticket, waiting);
    }
    if (bus !== undefined) {
      waiting.expect();
      void bus.settled().then(() => waiting.answered(0));
    }
    waiting.started();
  }
}

/** Those of this client, which may be kept for a shorter time than others. */
function limitsFor({ maxSessionExpirySec }: Principal, limits: BrokerLimits): BrokerLimits {
  if (maxSessionExpirySec === undefined || maxSessionExpirySec >= limits.sessionExpiryMaxSec) return limits;
  return { ...limits, sessionExpiryMaxSec: maxSessionExpirySec };
}

class Request implements ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly certificate: ClientCertificate | undefined;
  readonly #transport: Transport;

  constructor(transport: Transport, clientId: string, { username, password }: ConnectPacket) {
    this.clientId = clientId;
    this.username = username;
    this.password = password;
    this.certificate = transport.certificate;
    this.#transport = transport;
  }

  /** A system call, for those who ask. */
  get remoteAddress(): string {
    return this.#transport.remoteAddress;
  }
}
