import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type {
  AuthPacket,
  DisconnectPacket,
  Packet,
  SubackPacket,
  SubscribePacket,
  UnsubscribePacket,
} from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Admission, Verdict } from './admission.ts';
import { authPacket } from './auth-packet.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards } from './completion.ts';
import { Inbound } from './inbound.ts';
import type { Opened } from './opening.ts';
import type { Outgoing } from './outgoing.ts';
import type { Session, SessionConnection } from './session.ts';
import { revoke, subscribe, unsubscribe } from './subscribing.ts';

/** The packets of a client whose session is open. */
export class Serving {
  readonly session: Session;
  readonly inbound: Inbound;
  readonly #core: BrokerCore;
  readonly #connection: SessionConnection;
  readonly #outgoing: Outgoing;
  readonly #maxPacketBytes: number;
  /** Undefined where the client was let in by CONNECT alone. */
  readonly #admission: Admission | undefined;
  /** The CONNECT asked for a session that ends with the connection. */
  readonly #expiryIsZero: boolean;
  #reauthenticating = false;

  constructor(options: {
    readonly core: BrokerCore;
    readonly connection: SessionConnection;
    readonly outgoing: Outgoing;
    readonly opened: Opened;
  }) {
    const { session, packet, admission } = options.opened;
    this.session = session;
    this.inbound = new Inbound(options.core, session, options.outgoing);
    this.#core = options.core;
    this.#connection = options.connection;
    this.#outgoing = options.outgoing;
    this.#maxPacketBytes = packet.properties.maxPacketBytes ?? Infinity;
    this.#admission = admission;
    this.#expiryIsZero = packet.version === 5 && (packet.properties.sessionExpirySec ?? 0) === 0;
  }

  /** @throws MqttError where the connection cannot go on */
  take(packet: Packet): void {
    switch (packet.type) {
      case 'publish':
        this.inbound.receive(packet);
        return;
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        if (packet.type !== 'pubcomp') this.#core.counters.codes.received(packet.type, packet.reasonCode);
        this.session.outbound.acknowledge(packet);
        return;
      case 'pubrel':
        this.inbound.release(packet.packetId);
        return;
      case 'subscribe':
        this.#subscribe(packet);
        return;
      case 'unsubscribe':
        this.#unsubscribe(packet);
        return;
      case 'pingreq':
        this.#outgoing.packet(PINGRESP); // [MQTT-3.12.4-1]
        return;
      case 'disconnect':
        this.#disconnect(packet);
        return;
      case 'auth':
        this.#reauthenticate(packet);
        return;
      default:
        // A second CONNECT [MQTT-3.1.0-2], or what only a server sends.
        this.#connection.close('protocol-error');
    }
  }

  close(): void {
    this.inbound.close();
  }

  #subscribe(packet: SubscribePacket): void {
    const { session } = this;
    const { codes, retainedDue, added, ticket } = subscribe(this.#core, session, packet);
    this.#whenKnown(ticket, (code) => {
      if (code >= 0x80) {
        revoke(this.#core, session, added);
        codes.forEach((granted, i) => (codes[i] = granted < 0x80 ? code : granted));
      }
      // 3.1.1 has one code for every refusal.
      const reasonCodes = session.version === 5 ? codes : codes.map((granted) => (granted >= 0x80 ? 0x80 : granted));
      this.#answer({ type: 'suback', packetId: packet.packetId, reasonCodes });
      const granted = packet.subscriptions.filter((_, i) => (codes[i] ?? 0x80) < 0x80).map(({ filter }) => filter);
      this.#core.watch.subscribed(session, this.#connection, granted);
      if (code < 0x80 && retainedDue.length > 0) this.#core.retained.deliverTo(session, retainedDue);
    });
  }

  #unsubscribe(packet: UnsubscribePacket): void {
    const { codes, ticket } = unsubscribe(this.#core, this.session, packet.filters);
    this.#whenKnown(ticket, (code) => {
      const reasonCodes = code < 0x80 ? codes : codes.map((done) => (done === ReasonCode.success ? code : done));
      this.#answer({ type: 'unsuback', packetId: packet.packetId, reasonCodes });
      const gone = packet.filters.filter((_, i) => reasonCodes[i] === ReasonCode.success);
      this.#core.watch.unsubscribed(this.session, this.#connection, gone);
    });
  }

  /** Once a change of subscriptions is stored, and heeded by whichever thread a message comes in by. */
  #whenKnown(ticket: number, then: (code: number) => void): void {
    const { bus, store } = this.#core;
    if (ticket === 0 && bus === undefined) {
      then(0);
      return;
    }
    const waiting = new Afterwards((code) => {
      if (this.session.connection === this.#connection) then(code);
    });
    if (ticket !== 0) {
      waiting.expect();
      store.after(ticket, waiting);
    }
    if (bus !== undefined) {
      waiting.expect();
      void bus.settled().then(() => waiting.answered(0));
    }
    waiting.started();
  }

  /** No client is sent a packet larger than it takes [MQTT-3.1.2-24]; of those of an open session only these can be. */
  #send(bytes: Uint8Array): void {
    if (bytes.length > this.#maxPacketBytes) this.#connection.close('packet-too-large');
    else this.#outgoing.packet(bytes);
  }

  #answer(packet: SubackPacket): void {
    this.#send(encodePacket(packet, this.session.version));
    for (const code of packet.reasonCodes) this.#core.counters.codes.sent(packet.type, code);
  }

  #disconnect({ reasonCode, sessionExpirySec }: DisconnectPacket): void {
    this.#core.counters.codes.received('disconnect', reasonCode);
    if (sessionExpirySec !== undefined) {
      // A session whose expiry was 0 cannot be made to live longer now (5.0, section 3.14.2.2.2).
      if (sessionExpirySec > 0 && this.#expiryIsZero) {
        this.#connection.close('protocol-error');
        return;
      }
      this.session.expirySec = Math.min(sessionExpirySec, this.#core.limits.sessionExpiryMaxSec);
    }
    // [MQTT-3.1.2-8]
    this.#connection.close(reasonCode === ReasonCode.success ? 'client-disconnect' : 'client-disconnect-with-will');
  }

  /** AUTH on an open connection: the client proves anew who it is (5.0, section 4.12.1). */
  #reauthenticate(packet: AuthPacket): void {
    const { reasonCode, authenticationMethod, authenticationData } = packet;
    const admission = this.#admission;
    const begins = reasonCode === ReasonCode.reauthenticate && !this.#reauthenticating;
    const goesOn = reasonCode === ReasonCode.continueAuthentication && this.#reauthenticating;
    // Without a method in CONNECT [MQTT-4.12.0-6], or with another [MQTT-4.12.1-1].
    if (admission === undefined || authenticationMethod !== admission.method || !(begins || goesOn)) {
      this.#connection.close('protocol-error');
      return;
    }
    this.#reauthenticating = true;
    (begins ? admission.begin(authenticationData) : admission.next(packet))
      .then((verdict) => this.#reauthenticated(admission, verdict))
      .catch((error: unknown) => {
        this.#core.ends.write('error', 'authorizer-failed', { err: error, client: this.session.clientId });
        this.#connection.close('internal');
      });
  }

  #reauthenticated(admission: Admission, verdict: Verdict): void {
    if (this.session.connection !== this.#connection) return;
    if (verdict.kind === 'challenge') {
      this.#send(authPacket(ReasonCode.continueAuthentication, admission, verdict.data));
      return;
    }
    this.#reauthenticating = false;
    const isSame = verdict.kind === 'granted' && verdict.principal.id === this.session.principal.id;
    if (isSame) this.#send(authPacket(ReasonCode.success, admission, verdict.data));
    else this.#connection.close('reauthentication-failed'); // [MQTT-4.12.1-2]
  }
}

const PINGRESP = encodePacket({ type: 'pingresp' }, 5);
