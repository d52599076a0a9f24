import fc, { type Arbitrary } from 'fast-check';
import { isValidTopicFilter } from '../topics/topic-filter.ts';
import { isValidTopicName } from '../topics/topic-name.ts';
import type { Sender } from './packet-type.ts';
import type { DisconnectPacket, OutgoingPacket, ProtocolVersion, Subscription, UserProperties, Will } from './packets.ts';

/*
 * For tests: packets that may be sent, in the form in which they come back from a decoder. In 3.1.1 they have nothing that it cannot say.
 */

const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((value) => value.isWellFormed() && !value.includes('\0'));
const binary = fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes));
const packetId = fc.integer({ min: 1, max: 65_535 });
const u16 = fc.nat(65_535);
const u32 = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 0xffff_ffff));
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const bool = fc.boolean();
const topicName = fc
  .oneof(
    text,
    fc.array(fc.constantFrom('a', 'b', '', '$x', 'ü'), { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/')),
  )
  .filter(isValidTopicName);
const topicFilter = fc
  .oneof(
    topicName,
    fc.array(fc.constantFrom('a', '+', '', '$x'), { maxLength: 4 }).map((levels) => [...levels, '#'].join('/')),
    topicName.map((name) => `$share/g/${name}`),
  )
  .filter(isValidTopicFilter);
const varint = fc.oneof(
  fc.integer({ min: 1, max: 268_435_455 }),
  fc.constantFrom(1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152),
);
const nonzero16 = fc.integer({ min: 1, max: 65_535 });
const nonzero32 = fc.integer({ min: 1, max: 0xffff_ffff });

/** Names that differ, as an object keyed by name would have them: what the oracle can say too. */
const userProperties: Arbitrary<UserProperties> = fc.uniqueArray(
  fc.tuple(
    text.map((name) => `k${name}`),
    text,
  ),
  {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  },
);

const reasons = { reasonString: text, userProperties };
const acknowledgement = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;

/** A record of which any field may be missing. */
function some<T extends object>(fields: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<Partial<T>> {
  return fc.record(fields, { requiredKeys: [] }) as Arbitrary<Partial<T>>; // fast-check's own type of this call is a wider one
}

function inVersion<T extends object>(
  version: ProtocolVersion,
  fields: { [K in keyof T]: Arbitrary<T[K]> },
): Arbitrary<Partial<T>> {
  return version === 5 ? some(fields) : fc.constant({});
}

/** A packet that this side may send in this version. */
export function arbitraryPacket(version: ProtocolVersion, from: Sender): Arbitrary<OutgoingPacket> {
  const both = [arbitraryPublish(version, from), arbitraryAck(version)];
  const auth = version === 5 ? [arbitraryAuth()] : [];
  if (from === 'client') {
    return fc.oneof(
      ...both,
      ...auth,
      arbitrarySubscribe(version),
      arbitraryUnsubscribe(version),
      arbitraryDisconnect(version, from),
      ping('pingreq'),
    );
  }
  const disconnect = version === 5 ? [arbitraryDisconnect(version, from)] : [];
  return fc.oneof(...both, ...auth, ...disconnect, arbitraryConnack(version), arbitrarySuback(version), ping('pingresp'));
}

export function arbitraryConnect(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  const will: Arbitrary<Will> = fc.record({
    topic: topicName,
    payload: binary,
    qos,
    retain: bool,
    properties: inVersion(version, {
      willDelayIntervalSec: u32,
      payloadIsUtf8: bool,
      messageExpirySec: u32,
      contentType: text,
      responseTopic: topicName,
      correlationData: binary,
      userProperties,
    }),
  });
  const properties = inVersion(version, {
    sessionExpirySec: u32,
    receiveMaximum: nonzero16,
    maxPacketBytes: nonzero32,
    topicAliasMaximum: u16,
    requestResponseInformation: bool,
    requestProblemInformation: bool,
    userProperties,
    authenticationMethod: text,
    authenticationData: binary,
  }).filter((all) => all.authenticationData === undefined || all.authenticationMethod !== undefined);
  return fc
    .record({
      type: fc.constant('connect' as const),
      version: fc.constant(version),
      clientId: text,
      cleanStart: bool,
      keepAliveSec: u16,
      username: fc.option(text, { nil: undefined }),
      password: fc.option(binary, { nil: undefined }),
      will: fc.option(will, { nil: undefined }),
      properties,
    })
    .filter(
      (packet) =>
        version === 5 ||
        ((packet.clientId !== '' || packet.cleanStart) && (packet.username !== undefined || packet.password === undefined)),
    );
}

function arbitraryConnack(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  const properties = inVersion(version, {
    sessionExpirySec: u32,
    receiveMaximum: nonzero16,
    maximumQos: fc.constantFrom(0 as const, 1 as const),
    retainAvailable: bool,
    maxPacketBytes: nonzero32,
    assignedClientId: text,
    topicAliasMaximum: u16,
    reasonString: text,
    userProperties,
    wildcardSubscriptionAvailable: bool,
    subscriptionIdentifiersAvailable: bool,
    sharedSubscriptionAvailable: bool,
    serverKeepAliveSec: u16,
    responseInformation: text,
    serverReference: text,
    authenticationMethod: text,
    authenticationData: binary,
  }).filter((all) => all.authenticationData === undefined || all.authenticationMethod !== undefined);
  return fc
    .record({
      type: fc.constant('connack' as const),
      sessionPresent: bool,
      reasonCode: version === 5 ? fc.constantFrom(0, 0x80, 0x86, 0x9f) : fc.nat(5),
      properties,
    })
    .filter((packet) => packet.reasonCode === 0 || !packet.sessionPresent);
}

function arbitraryPublish(version: ProtocolVersion, from: Sender): Arbitrary<OutgoingPacket> {
  const properties = some({
    payloadIsUtf8: bool,
    messageExpirySec: u32,
    topicAlias: nonzero16,
    responseTopic: topicName,
    correlationData: binary,
    userProperties,
    contentType: text,
    ...(from === 'server' ? { subscriptionIdentifiers: fc.array(varint, { minLength: 1, maxLength: 3 }) } : {}),
  });
  return fc
    .record({
      type: fc.constant('publish' as const),
      topic: topicName,
      payload: fc.oneof(
        binary,
        fc.integer({ min: 0, max: 20_000 }).map((length) => new Uint8Array(length).fill(0x5a)),
      ),
      qos,
      retain: bool,
      dup: bool,
      packetId,
      properties: version === 5 ? fc.option(properties, { nil: undefined }) : fc.constant(undefined),
      alias: bool,
    })
    .map(({ alias, ...packet }) => ({
      ...packet,
      topic: alias && packet.properties?.topicAlias !== undefined ? '' : packet.topic,
      dup: packet.qos !== 0 && packet.dup,
      packetId: packet.qos === 0 ? 0 : packet.packetId,
      // A decoder has no properties where there are none.
      properties: packet.properties !== undefined && Object.keys(packet.properties).length > 0 ? packet.properties : undefined,
    }));
}

function arbitraryAck(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  return fc
    .tuple(fc.constantFrom(...acknowledgement), packetId, bool, inVersion(version, reasons))
    .map(([type, id, failed, properties]) => {
      const failure = type === 'puback' || type === 'pubrec' ? 0x97 : 0x92;
      return { type, packetId: id, reasonCode: failed && version === 5 ? failure : 0, ...properties };
    });
}

function arbitrarySubscribe(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  const subscription: Arbitrary<Subscription> = fc
    .record({
      filter: topicFilter,
      qos,
      noLocal: version === 5 ? bool : fc.constant(false),
      retainAsPublished: version === 5 ? bool : fc.constant(false),
      retainHandling: version === 5 ? qos : fc.constant(0 as const),
    })
    .map((one) => ({ ...one, noLocal: one.noLocal && !one.filter.startsWith('$share/') }));
  return fc
    .tuple(
      packetId,
      fc.array(subscription, { minLength: 1, maxLength: 3 }),
      inVersion(version, { subscriptionIdentifier: varint, userProperties }),
    )
    .map(([id, subscriptions, properties]) => ({ type: 'subscribe', packetId: id, subscriptions, ...properties }));
}

function arbitrarySuback(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  const ofSubscribe = version === 5 ? fc.constantFrom(0, 1, 2, 0x80, 0x8f, 0xa2) : fc.constantFrom(0, 1, 2, 0x80);
  return fc
    .tuple(
      bool,
      packetId,
      fc.array(ofSubscribe, { minLength: 1 }),
      fc.array(fc.constantFrom(0, 0x11, 0x87), { minLength: 1 }),
      inVersion(version, reasons),
    )
    .map(([isSuback, id, granted, gone, properties]) =>
      isSuback
        ? { type: 'suback', packetId: id, reasonCodes: granted, ...properties }
        : { type: 'unsuback', packetId: id, reasonCodes: version === 5 ? gone : [], ...properties },
    );
}

function arbitraryUnsubscribe(version: ProtocolVersion): Arbitrary<OutgoingPacket> {
  return fc
    .tuple(packetId, fc.array(topicFilter, { minLength: 1, maxLength: 3 }), inVersion(version, { userProperties }))
    .map(([id, filters, properties]) => ({ type: 'unsubscribe', packetId: id, filters, ...properties }));
}

function arbitraryDisconnect(version: ProtocolVersion, from: Sender): Arbitrary<OutgoingPacket> {
  const properties: Arbitrary<Partial<DisconnectPacket>> =
    from === 'client'
      ? inVersion(version, { ...reasons, sessionExpirySec: u32 })
      : inVersion(version, { ...reasons, serverReference: text });
  const code = version === 5 ? fc.constantFrom(0, 0x80, 0x8e, 0xa2) : fc.constant(0);
  return fc.tuple(code, properties).map(([reasonCode, all]) => ({ type: 'disconnect', reasonCode, ...all }));
}

function arbitraryAuth(): Arbitrary<OutgoingPacket> {
  return fc
    .tuple(fc.constantFrom(0, 0x18, 0x19), text, some({ authenticationData: binary, ...reasons }))
    .map(([reasonCode, authenticationMethod, all]) => ({ type: 'auth', reasonCode, authenticationMethod, ...all }));
}

function ping(type: 'pingreq' | 'pingresp'): Arbitrary<OutgoingPacket> {
  return fc.constant({ type });
}
