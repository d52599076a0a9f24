import type {
  ConnackProperties,
  ConnectProperties,
  DisconnectPacket,
  PublishProperties,
  SubscribePacket,
  WillProperties,
} from './packets.ts';

/** Where properties stand. PUBACK, PUBREC, PUBREL and PUBCOMP have the same ones, and so have SUBACK and UNSUBACK. */
export type PropertyPlace =
  | 'connect'
  | 'will'
  | 'connack'
  | 'publish'
  | 'ack'
  | 'subscribe'
  | 'suback'
  | 'unsubscribe'
  | 'disconnect'
  | 'auth';

/** Every property of every place, under the name that it has in packets.ts. */
export type PropertyBag = ConnectProperties &
  ConnackProperties &
  PublishProperties &
  WillProperties &
  Pick<SubscribePacket, 'subscriptionIdentifier'> &
  Pick<DisconnectPacket, 'reasonString' | 'serverReference'>;

/** How a value is written. `flag` and `bit` are one byte of 0 or 1, as a boolean and as a number; a list repeats the property. */
export type PropertyForm =
  | 'flag'
  | 'bit'
  | 'u16'
  | 'u16-nonzero'
  | 'u32'
  | 'u32-nonzero'
  | 'varint-nonzero'
  | 'varint-list'
  | 'string'
  | 'topic'
  | 'binary'
  | 'pair-list';

export interface Property {
  readonly id: number;
  readonly name: keyof PropertyBag;
  readonly form: PropertyForm;
  /** The section that describes it at this place: `[MQTT-3.1.2.11.3]`. */
  readonly clause: string;
}

type Definition = readonly [id: number, name: keyof PropertyBag, form: PropertyForm];

const PAYLOAD_IS_UTF8: Definition = [0x01, 'payloadIsUtf8', 'flag'];
const MESSAGE_EXPIRY: Definition = [0x02, 'messageExpirySec', 'u32'];
const CONTENT_TYPE: Definition = [0x03, 'contentType', 'string'];
const RESPONSE_TOPIC: Definition = [0x08, 'responseTopic', 'topic'];
const CORRELATION_DATA: Definition = [0x09, 'correlationData', 'binary'];
const SUBSCRIPTION_IDENTIFIERS: Definition = [0x0b, 'subscriptionIdentifiers', 'varint-list'];
const SUBSCRIPTION_IDENTIFIER: Definition = [0x0b, 'subscriptionIdentifier', 'varint-nonzero'];
const SESSION_EXPIRY: Definition = [0x11, 'sessionExpirySec', 'u32'];
const ASSIGNED_CLIENT_ID: Definition = [0x12, 'assignedClientId', 'string'];
const SERVER_KEEP_ALIVE: Definition = [0x13, 'serverKeepAliveSec', 'u16'];
const AUTHENTICATION_METHOD: Definition = [0x15, 'authenticationMethod', 'string'];
const AUTHENTICATION_DATA: Definition = [0x16, 'authenticationData', 'binary'];
const REQUEST_PROBLEM_INFORMATION: Definition = [0x17, 'requestProblemInformation', 'flag'];
const WILL_DELAY: Definition = [0x18, 'willDelayIntervalSec', 'u32'];
const REQUEST_RESPONSE_INFORMATION: Definition = [0x19, 'requestResponseInformation', 'flag'];
const RESPONSE_INFORMATION: Definition = [0x1a, 'responseInformation', 'string'];
const SERVER_REFERENCE: Definition = [0x1c, 'serverReference', 'string'];
const REASON_STRING: Definition = [0x1f, 'reasonString', 'string'];
const RECEIVE_MAXIMUM: Definition = [0x21, 'receiveMaximum', 'u16-nonzero'];
const TOPIC_ALIAS_MAXIMUM: Definition = [0x22, 'topicAliasMaximum', 'u16'];
const TOPIC_ALIAS: Definition = [0x23, 'topicAlias', 'u16-nonzero'];
const MAXIMUM_QOS: Definition = [0x24, 'maximumQos', 'bit'];
const RETAIN_AVAILABLE: Definition = [0x25, 'retainAvailable', 'flag'];
const USER_PROPERTIES: Definition = [0x26, 'userProperties', 'pair-list'];
const MAX_PACKET_BYTES: Definition = [0x27, 'maxPacketBytes', 'u32-nonzero'];
const WILDCARD_SUBSCRIPTION_AVAILABLE: Definition = [0x28, 'wildcardSubscriptionAvailable', 'flag'];
const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: Definition = [0x29, 'subscriptionIdentifiersAvailable', 'flag'];
const SHARED_SUBSCRIPTION_AVAILABLE: Definition = [0x2a, 'sharedSubscriptionAvailable', 'flag'];

/**
 * What may stand where [MQTT-2.2.2.2], in the order of the specification: there each place has a section, whose first subsection is
 * the property length and whose others are these.
 */
export const PROPERTIES: Readonly<Record<PropertyPlace, readonly Property[]>> = {
  connect: place('3.1.2.11', [
    SESSION_EXPIRY,
    RECEIVE_MAXIMUM,
    MAX_PACKET_BYTES,
    TOPIC_ALIAS_MAXIMUM,
    REQUEST_RESPONSE_INFORMATION,
    REQUEST_PROBLEM_INFORMATION,
    USER_PROPERTIES,
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
  ]),
  will: place('3.1.3.2', [
    WILL_DELAY,
    PAYLOAD_IS_UTF8,
    MESSAGE_EXPIRY,
    CONTENT_TYPE,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    USER_PROPERTIES,
  ]),
  connack: place('3.2.2.3', [
    SESSION_EXPIRY,
    RECEIVE_MAXIMUM,
    MAXIMUM_QOS,
    RETAIN_AVAILABLE,
    MAX_PACKET_BYTES,
    ASSIGNED_CLIENT_ID,
    TOPIC_ALIAS_MAXIMUM,
    REASON_STRING,
    USER_PROPERTIES,
    WILDCARD_SUBSCRIPTION_AVAILABLE,
    SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    SHARED_SUBSCRIPTION_AVAILABLE,
    SERVER_KEEP_ALIVE,
    RESPONSE_INFORMATION,
    SERVER_REFERENCE,
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
  ]),
  publish: place('3.3.2.3', [
    PAYLOAD_IS_UTF8,
    MESSAGE_EXPIRY,
    TOPIC_ALIAS,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    USER_PROPERTIES,
    SUBSCRIPTION_IDENTIFIERS,
    CONTENT_TYPE,
  ]),
  ack: place('3.4.2.2', [REASON_STRING, USER_PROPERTIES]),
  subscribe: place('3.8.2.1', [SUBSCRIPTION_IDENTIFIER, USER_PROPERTIES]),
  suback: place('3.9.2.1', [REASON_STRING, USER_PROPERTIES]),
  unsubscribe: place('3.10.2.1', [USER_PROPERTIES]),
  disconnect: place('3.14.2.2', [SESSION_EXPIRY, REASON_STRING, USER_PROPERTIES, SERVER_REFERENCE]),
  auth: place('3.15.2.2', [AUTHENTICATION_METHOD, AUTHENTICATION_DATA, REASON_STRING, USER_PROPERTIES]),
};

function place(section: string, definitions: readonly Definition[]): readonly Property[] {
  return definitions.map(([id, name, form], index) => ({ id, name, form, clause: `[MQTT-${section}.${index + 2}]` }));
}
