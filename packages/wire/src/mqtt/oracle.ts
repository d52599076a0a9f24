import { generate, parser, type Packet as OraclePacket } from 'mqtt-packet';
import type { OutgoingPacket, ProtocolVersion, UserProperties } from './packets.ts';
import type { PropertyBag } from './property-table.ts';

/* For tests: the same packets as mqtt-packet has them, to compare with. */

/** The bytes that mqtt-packet makes of a packet. */
export function oracleEncode(packet: OutgoingPacket, version: ProtocolVersion): Uint8Array {
  return generate(toOracle(packet, version), { protocolVersion: version });
}

/**
 * What mqtt-packet makes of these bytes, as it would have been given to it.
 * @throws Error where it refuses them.
 */
export function oracleDecode(bytes: Uint8Array, version: ProtocolVersion): readonly OraclePacket[] {
  const packets: OraclePacket[] = [];
  const oracle = parser({ protocolVersion: version });
  oracle.on('packet', (packet) => packets.push(packet));
  oracle.on('error', (error: unknown) => {
    throw error;
  });
  oracle.parse(Buffer.from(bytes));
  return packets;
}

function toOracle(packet: OutgoingPacket, version: ProtocolVersion): OraclePacket {
  const fields = fieldsOf(packet, version);
  return { cmd: packet.type, ...fields } as OraclePacket; // its types want `properties` without undefined
}

function fieldsOf(packet: OutgoingPacket, version: ProtocolVersion): object {
  const properties = (bag: PropertyBag): object => (version === 5 ? { properties: propertiesOf(bag) } : {});
  switch (packet.type) {
    case 'connect':
      return {
        protocolVersion: packet.version,
        clientId: packet.clientId,
        clean: packet.cleanStart,
        keepalive: packet.keepAliveSec,
        ...(packet.username === undefined ? {} : { username: packet.username }),
        ...(packet.password === undefined ? {} : { password: Buffer.from(packet.password) }),
        ...(packet.will === undefined
          ? {}
          : {
              will: {
                topic: packet.will.topic,
                payload: Buffer.from(packet.will.payload),
                qos: packet.will.qos,
                retain: packet.will.retain,
                ...properties(packet.will.properties),
              },
            }),
        ...properties(packet.properties),
      };
    case 'connack':
      return {
        sessionPresent: packet.sessionPresent,
        [version === 5 ? 'reasonCode' : 'returnCode']: packet.reasonCode,
        ...properties(packet.properties),
      };
    case 'publish':
      return {
        topic: packet.topic,
        payload: Buffer.from(packet.payload),
        qos: packet.qos,
        retain: packet.retain,
        dup: packet.dup,
        messageId: packet.packetId,
        ...(packet.properties === undefined ? {} : properties(packet.properties)),
      };
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return { messageId: packet.packetId, reasonCode: packet.reasonCode, ...properties(packet) };
    case 'subscribe':
      return {
        messageId: packet.packetId,
        subscriptions: packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) => ({
          topic: filter,
          qos,
          ...(version === 5 ? { nl: noLocal, rap: retainAsPublished, rh: retainHandling } : {}),
        })),
        ...properties(packet),
      };
    case 'suback':
    case 'unsuback':
      return { messageId: packet.packetId, granted: packet.reasonCodes, ...properties(packet) };
    case 'unsubscribe':
      return { messageId: packet.packetId, unsubscriptions: packet.filters, ...properties(packet) };
    case 'disconnect':
    case 'auth':
      return { reasonCode: packet.reasonCode, ...properties(packet) };
    default:
      return {};
  }
}

const NAMES: Readonly<Partial<Record<keyof PropertyBag, string>>> = {
  willDelayIntervalSec: 'willDelayInterval',
  payloadIsUtf8: 'payloadFormatIndicator',
  messageExpirySec: 'messageExpiryInterval',
  contentType: 'contentType',
  responseTopic: 'responseTopic',
  correlationData: 'correlationData',
  sessionExpirySec: 'sessionExpiryInterval',
  receiveMaximum: 'receiveMaximum',
  maxPacketBytes: 'maximumPacketSize',
  topicAliasMaximum: 'topicAliasMaximum',
  requestResponseInformation: 'requestResponseInformation',
  requestProblemInformation: 'requestProblemInformation',
  authenticationMethod: 'authenticationMethod',
  authenticationData: 'authenticationData',
  maximumQos: 'maximumQoS',
  retainAvailable: 'retainAvailable',
  assignedClientId: 'assignedClientIdentifier',
  reasonString: 'reasonString',
  wildcardSubscriptionAvailable: 'wildcardSubscriptionAvailable',
  subscriptionIdentifiersAvailable: 'subscriptionIdentifiersAvailable',
  sharedSubscriptionAvailable: 'sharedSubscriptionAvailable',
  serverKeepAliveSec: 'serverKeepAlive',
  responseInformation: 'responseInformation',
  serverReference: 'serverReference',
  topicAlias: 'topicAlias',
  subscriptionIdentifier: 'subscriptionIdentifier',
};

function propertiesOf(bag: PropertyBag): object {
  const properties: Record<string, unknown> = {};
  for (const [ours, theirs] of Object.entries(NAMES)) {
    const value: unknown = bag[ours as keyof PropertyBag]; // keys of NAMES
    if (value !== undefined) properties[theirs] = value instanceof Uint8Array ? Buffer.from(value) : value;
  }
  const identifiers = bag.subscriptionIdentifiers;
  if (identifiers !== undefined) properties['subscriptionIdentifier'] = identifiers.length === 1 ? identifiers[0] : identifiers;
  if (bag.userProperties !== undefined) properties['userProperties'] = userPropertiesOf(bag.userProperties);
  return properties;
}

function userPropertiesOf(pairs: UserProperties): object {
  return Object.fromEntries(pairs);
}
