import type { Topic } from './topic-cache.ts';

/** 4 is MQTT 3.1.1, 5 is MQTT 5.0: the protocol level byte of CONNECT. */
export type ProtocolVersion = 4 | 5;
export type QoS = 0 | 1 | 2;
export type UserProperties = readonly (readonly [name: string, value: string])[];

export interface WillProperties {
  readonly willDelayIntervalSec?: number;
  readonly payloadIsUtf8?: boolean;
  readonly messageExpirySec?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: UserProperties;
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: WillProperties;
}

export interface ConnectProperties {
  readonly sessionExpirySec?: number;
  readonly receiveMaximum?: number;
  readonly maxPacketBytes?: number;
  readonly topicAliasMaximum?: number;
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly userProperties?: UserProperties;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

export interface ConnectPacket {
  readonly type: 'connect';
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly keepAliveSec: number;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly will: Will | undefined;
  readonly properties: ConnectProperties;
}

export interface ConnackProperties {
  readonly sessionExpirySec?: number;
  readonly receiveMaximum?: number;
  readonly maximumQos?: 0 | 1;
  readonly retainAvailable?: boolean;
  readonly maxPacketBytes?: number;
  readonly assignedClientId?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly serverKeepAliveSec?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

export interface ConnackPacket {
  readonly type: 'connack';
  readonly sessionPresent: boolean;
  /** A reason code in 5.0, a return code in 3.1.1. */
  readonly reasonCode: number;
  readonly properties: ConnackProperties;
}

export interface PublishProperties {
  readonly payloadIsUtf8?: boolean;
  readonly messageExpirySec?: number;
  readonly topicAlias?: number;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: UserProperties;
  readonly subscriptionIdentifiers?: readonly number[];
  readonly contentType?: string;
}

/**
 * A PUBLISH as the decoder gives it out: one object for each decoder, overwritten by its next call. What is kept must be
 * copied. The payload is `data[start, end)`; `data` is the chunk that was fed where the payload lies within one.
 */
export interface PublishPacket {
  readonly type: 'publish';
  /** An empty name only together with a topic alias (5.0). */
  readonly topic: Topic;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** Undefined where the packet has none (always in 3.1.1). */
  readonly properties: PublishProperties | undefined;
  readonly data: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one form. */
export interface AckPacket {
  readonly type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly packetId: number;
  readonly reasonCode: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: QoS;
  /** 5.0 only; false, false, 0 in 3.1.1. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  readonly type: 'subscribe';
  readonly packetId: number;
  readonly subscriptions: readonly Subscription[];
  readonly subscriptionIdentifier?: number;
  readonly userProperties?: UserProperties;
}

/** SUBACK and UNSUBACK. In 3.1.1 an UNSUBACK has no codes. */
export interface SubackPacket {
  readonly type: 'suback' | 'unsuback';
  readonly packetId: number;
  readonly reasonCodes: readonly number[];
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export interface UnsubscribePacket {
  readonly type: 'unsubscribe';
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly userProperties?: UserProperties;
}

export interface PingPacket {
  readonly type: 'pingreq' | 'pingresp';
}

export interface DisconnectPacket {
  readonly type: 'disconnect';
  readonly reasonCode: number;
  readonly sessionExpirySec?: number;
  readonly reasonString?: string;
  readonly serverReference?: string;
  readonly userProperties?: UserProperties;
}

export interface AuthPacket {
  readonly type: 'auth';
  readonly reasonCode: number;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | PingPacket
  | DisconnectPacket
  | AuthPacket;

/** A PUBLISH to be encoded. */
export interface OutgoingPublish {
  readonly type: 'publish';
  /** Empty only together with a topic alias (5.0). A {@link Topic} is not checked nor encoded again. */
  readonly topic: string | Topic;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** Needed at QoS 1 and 2. */
  readonly packetId?: number;
  /** Left out in 3.1.1. */
  readonly properties?: PublishProperties | undefined;
}

/** What can be encoded: each packet as it is decoded, PUBLISH in its own form. */
export type OutgoingPacket = Exclude<Packet, PublishPacket> | OutgoingPublish;
