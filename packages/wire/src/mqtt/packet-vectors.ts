import { CONNECT_VECTORS } from './connect-vectors.ts';
import type { Sender } from './packet-type.ts';
import type { OutgoingPacket, ProtocolVersion } from './packets.ts';

/** For tests: a packet and its bytes, written by hand from the specification. */
export interface PacketVector {
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly from: Sender;
  readonly packet: OutgoingPacket;
  readonly hex: string;
  /** Other bytes that mean the same: decoded, never encoded. */
  readonly alsoHex?: readonly string[];
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** Each packet type in each version that has it, plain and with everything it can carry. */
export const PACKET_VECTORS: readonly PacketVector[] = [
  ...CONNECT_VECTORS,
  {
    name: 'PUBLISH at QoS 0',
    version: 4,
    from: 'client',
    packet: {
      type: 'publish',
      topic: 'a/b',
      payload: text('hi'),
      qos: 0,
      retain: false,
      dup: false,
      packetId: 0,
      properties: undefined,
    },
    hex: '30 07 0003 612f62 6869',
  },
  {
    name: 'PUBLISH at QoS 2, retained, again',
    version: 4,
    from: 'server',
    packet: {
      type: 'publish',
      topic: 'a',
      payload: bytes(),
      qos: 2,
      retain: true,
      dup: true,
      packetId: 65_535,
      properties: undefined,
    },
    hex: '3d 05 0001 61 ffff',
  },
  {
    name: 'PUBLISH at QoS 1',
    version: 5,
    from: 'client',
    packet: {
      type: 'publish',
      topic: 'a',
      payload: bytes(0),
      qos: 1,
      retain: false,
      dup: false,
      packetId: 1,
      properties: undefined,
    },
    hex: '32 07 0001 61 0001 00 00',
  },
  {
    name: 'PUBLISH with an alias for its topic',
    version: 5,
    from: 'client',
    packet: {
      type: 'publish',
      topic: '',
      payload: bytes(1),
      qos: 0,
      retain: false,
      dup: false,
      packetId: 0,
      properties: { topicAlias: 3 },
    },
    hex: '30 07 0000 03 23 0003 01',
  },
  {
    name: 'PUBLISH with all',
    version: 5,
    from: 'server',
    packet: {
      type: 'publish',
      topic: '$x/ü',
      payload: text('{}'),
      qos: 1,
      retain: true,
      dup: false,
      packetId: 258,
      properties: {
        payloadIsUtf8: false,
        messageExpirySec: 65_536,
        topicAlias: 65_535,
        responseTopic: 'r/s',
        correlationData: bytes(),
        userProperties: [
          ['b', '1'],
          ['a', '2'],
        ],
        subscriptionIdentifiers: [1, 268_435_455],
        contentType: '',
      },
    },
    hex:
      '33 37 0005 24782fc3bc 0102 2b 01 00 02 00010000 23 ffff 08 0003 722f73 09 0000 26 0001 62 0001 31 26 0001 61 0001 32 ' +
      '0b 01 0b ffffff7f 03 0000 7b7d',
  },
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).flatMap((type, i): PacketVector[] => {
    const first = ['40', '50', '62', '70'][i] ?? '';
    const code = type === 'puback' || type === 'pubrec' ? 0x10 : 0x92;
    const codeHex = code.toString(16);
    return [
      {
        name: type.toUpperCase(),
        version: 4,
        from: 'client',
        packet: { type, packetId: 10, reasonCode: 0 },
        hex: `${first} 02 000a`,
      },
      {
        name: type.toUpperCase(),
        version: 5,
        from: 'client',
        packet: { type, packetId: 10, reasonCode: 0 },
        hex: `${first} 02 000a`,
        alsoHex: [`${first} 03 000a 00`, `${first} 04 000a 00 00`],
      },
      {
        name: `${type.toUpperCase()} with a reason code`,
        version: 5,
        from: 'server',
        packet: { type, packetId: 10, reasonCode: code },
        hex: `${first} 03 000a ${codeHex}`,
        alsoHex: [`${first} 04 000a ${codeHex} 00`],
      },
      {
        name: `${type.toUpperCase()} with all`,
        version: 5,
        from: 'server',
        packet: { type, packetId: 10, reasonCode: code, reasonString: 'r', userProperties: [['a', 'b']] },
        hex: `${first} 0f 000a ${codeHex} 0b 1f 0001 72 26 0001 61 0001 62`,
      },
    ];
  }),
  {
    name: 'SUBSCRIBE',
    version: 4,
    from: 'client',
    packet: {
      type: 'subscribe',
      packetId: 1,
      subscriptions: [
        { filter: 'a/+', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { filter: '#', qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
    },
    hex: '82 0c 0001 0003 612f2b 00 0001 23 02',
  },
  {
    name: 'SUBSCRIBE',
    version: 5,
    from: 'client',
    packet: {
      type: 'subscribe',
      packetId: 1,
      subscriptions: [{ filter: 'a', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    },
    hex: '82 07 0001 00 0001 61 01',
  },
  {
    name: 'SUBSCRIBE with all',
    version: 5,
    from: 'client',
    packet: {
      type: 'subscribe',
      packetId: 1,
      subscriptionIdentifier: 128,
      userProperties: [['a', 'b']],
      subscriptions: [
        { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { filter: '$share/g/a', qos: 0, noLocal: false, retainAsPublished: true, retainHandling: 1 },
      ],
    },
    hex: '82 1e 0001 0a 0b 8001 26 0001 61 0001 62 0001 61 2e 000a 2473686172652f672f61 18',
  },
  {
    name: 'SUBACK',
    version: 4,
    from: 'server',
    packet: { type: 'suback', packetId: 1, reasonCodes: [0, 1, 2, 0x80] },
    hex: '90 06 0001 00 01 02 80',
  },
  {
    name: 'SUBACK',
    version: 5,
    from: 'server',
    packet: { type: 'suback', packetId: 1, reasonCodes: [0x8f], reasonString: 'r', userProperties: [['a', 'b']] },
    hex: '90 0f 0001 0b 1f 0001 72 26 0001 61 0001 62 8f',
  },
  {
    name: 'UNSUBSCRIBE',
    version: 4,
    from: 'client',
    packet: { type: 'unsubscribe', packetId: 2, filters: ['a', 'b/#'] },
    hex: 'a2 0a 0002 0001 61 0003 622f23',
  },
  {
    name: 'UNSUBSCRIBE',
    version: 5,
    from: 'client',
    packet: { type: 'unsubscribe', packetId: 2, filters: ['a'], userProperties: [['a', 'b']] },
    hex: 'a2 0d 0002 07 26 0001 61 0001 62 0001 61',
  },
  { name: 'UNSUBACK', version: 4, from: 'server', packet: { type: 'unsuback', packetId: 2, reasonCodes: [] }, hex: 'b0 02 0002' },
  {
    name: 'UNSUBACK',
    version: 5,
    from: 'server',
    packet: { type: 'unsuback', packetId: 2, reasonCodes: [0, 0x11], reasonString: 'r' },
    hex: 'b0 09 0002 04 1f 0001 72 00 11',
  },
  ...([4, 5] as const).flatMap((version): PacketVector[] => [
    { name: 'PINGREQ', version, from: 'client', packet: { type: 'pingreq' }, hex: 'c0 00' },
    { name: 'PINGRESP', version, from: 'server', packet: { type: 'pingresp' }, hex: 'd0 00' },
  ]),
  { name: 'DISCONNECT', version: 4, from: 'client', packet: { type: 'disconnect', reasonCode: 0 }, hex: 'e0 00' },
  {
    name: 'DISCONNECT',
    version: 5,
    from: 'client',
    packet: { type: 'disconnect', reasonCode: 0 },
    hex: 'e0 00',
    alsoHex: ['e0 01 00', 'e0 02 00 00'],
  },
  {
    name: 'DISCONNECT with a reason code',
    version: 5,
    from: 'server',
    packet: { type: 'disconnect', reasonCode: 0x8e },
    hex: 'e0 01 8e',
  },
  {
    name: 'DISCONNECT with all of a client',
    version: 5,
    from: 'client',
    packet: { type: 'disconnect', reasonCode: 4, sessionExpirySec: 1, reasonString: 'r', userProperties: [['a', 'b']] },
    hex: 'e0 12 04 10 11 00000001 1f 0001 72 26 0001 61 0001 62',
  },
  {
    name: 'DISCONNECT with all of a server',
    version: 5,
    from: 'server',
    packet: { type: 'disconnect', reasonCode: 0x9d, reasonString: 'r', serverReference: 's' },
    hex: 'e0 0a 9d 08 1f 0001 72 1c 0001 73',
  },
  { name: 'AUTH, the least', version: 5, from: 'client', packet: { type: 'auth', reasonCode: 0 }, hex: 'f0 00' },
  {
    name: 'AUTH with all',
    version: 5,
    from: 'client',
    packet: {
      type: 'auth',
      reasonCode: 0x18,
      authenticationMethod: 'm',
      authenticationData: bytes(1),
      reasonString: 'r',
      userProperties: [['a', 'b']],
    },
    hex: 'f0 15 18 13 15 0001 6d 16 0001 01 1f 0001 72 26 0001 61 0001 62',
  },
];

/** Bytes from hexadecimal digits; blanks are left out. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
