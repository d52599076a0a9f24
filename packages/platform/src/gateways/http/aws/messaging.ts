import type { QoS, PublishProperties, UserProperties } from '@selsyn/wire/mqtt/packets.ts';

/** A message that was sent by HTTP. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: PublishProperties | undefined;
  /** Of the device; or of the key of a program, with its kind before it. */
  readonly principalId: string;
}

export interface RetainedSummary {
  readonly topic: string;
  readonly sizeBytes: number;
  readonly qos: QoS;
}

export interface RetainedMessage extends RetainedSummary {
  readonly payload: Uint8Array;
  readonly userProperties: UserProperties | undefined;
}

/** The brokers of all threads, as far as messages come and go by HTTP. */
export interface Messaging {
  /** @returns a reason code as of PUBACK (MQTT 5.0, section 3.4.2.1), once all that must have the message durably have it. */
  publish(publication: Publication): Promise<number>;
  retained(topic: string): Promise<RetainedMessage | undefined>;
  /** By topic, behind `after`. */
  listRetained(page: { readonly after: string | undefined; readonly limit: number }): Promise<readonly RetainedSummary[]>;
}

export interface DirectSending {
  readonly clientId: string;
  /** Only to a client that signed in as one of these; undefined: any. */
  readonly principals: readonly string[] | undefined;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: PublishProperties | undefined;
  /** How long its acknowledgement is waited for; undefined: it is not. */
  readonly confirmMs: number | undefined;
}

/** A client of MQTT, connected or known to have been. */
export interface ConnectionFacts {
  readonly clientId: string;
  /** Who it signed in as; empty where it was never let in. */
  readonly principalId: string;
  readonly state: 'connected' | 'offline' | 'gone';
  readonly remoteAddress?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly persistent: boolean;
  readonly keepAliveSec: number;
  readonly sessionExpirySec: number;
  readonly filters: readonly { readonly filter: string; readonly qos: number }[];
  readonly lastClose?: { readonly reason: string; readonly atMs: number } | undefined;
}

/** The clients of all threads. */
export interface Connections {
  find(clientId: string): Promise<readonly ConnectionFacts[]>;
  /** @returns how many there were. */
  disconnect(
    clientId: string,
    session: 'keep' | 'discard',
    principals: readonly string[] | undefined,
    withWill: boolean,
  ): Promise<number>;
  sendDirect(sending: DirectSending): Promise<'sent' | 'unconfirmed' | 'not-allowed' | 'busy' | 'no-client'>;
}
