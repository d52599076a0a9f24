import type { PacketVector } from './packet-vectors.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** For tests: CONNECT and CONNACK, plain and with everything they can carry. */
export const CONNECT_VECTORS: readonly PacketVector[] = [
  {
    name: 'CONNECT, the least',
    version: 4,
    from: 'client',
    packet: {
      type: 'connect',
      version: 4,
      clientId: '',
      cleanStart: true,
      keepAliveSec: 0,
      username: undefined,
      password: undefined,
      will: undefined,
      properties: {},
    },
    hex: '10 0c 0004 4d515454 04 02 0000 0000',
    alsoHex: ['10 8c00 0004 4d515454 04 02 0000 0000'],
  },
  {
    name: 'CONNECT with all',
    version: 4,
    from: 'client',
    packet: {
      type: 'connect',
      version: 4,
      clientId: 'c1',
      cleanStart: false,
      keepAliveSec: 60,
      username: 'u',
      password: bytes(0, 255),
      will: { topic: 'w/t', payload: text('bye'), qos: 2, retain: true, properties: {} },
      properties: {},
    },
    hex: '10 1f 0004 4d515454 04 f4 003c 0002 6331 0003 772f74 0003 627965 0001 75 0002 00ff',
  },
  {
    name: 'CONNECT, the least',
    version: 5,
    from: 'client',
    packet: {
      type: 'connect',
      version: 5,
      clientId: '',
      cleanStart: false,
      keepAliveSec: 65_535,
      username: undefined,
      password: bytes(7),
      will: undefined,
      properties: {},
    },
    hex: '10 10 0004 4d515454 05 40 ffff 00 0000 0001 07',
  },
  {
    name: 'CONNECT with all',
    version: 5,
    from: 'client',
    packet: {
      type: 'connect',
      version: 5,
      clientId: 'é',
      cleanStart: true,
      keepAliveSec: 10,
      username: 'u',
      password: text('p'),
      will: {
        topic: 'w',
        payload: bytes(),
        qos: 1,
        retain: false,
        properties: {
          willDelayIntervalSec: 4_294_967_295,
          payloadIsUtf8: true,
          messageExpirySec: 2,
          contentType: 'c',
          responseTopic: 'r',
          correlationData: bytes(1, 2),
          userProperties: [['a', 'b']],
        },
      },
      properties: {
        sessionExpirySec: 3600,
        receiveMaximum: 20,
        maxPacketBytes: 1_048_576,
        topicAliasMaximum: 10,
        requestResponseInformation: true,
        requestProblemInformation: false,
        userProperties: [
          ['k', '1'],
          ['k', '2'],
        ],
        authenticationMethod: 'm',
        authenticationData: bytes(9),
      },
    },
    hex:
      '10 65 0004 4d515454 05 ce 000a ' +
      '2a 11 00000e10 21 0014 27 00100000 22 000a 19 01 17 00 26 0001 6b 0001 31 26 0001 6b 0001 32 15 0001 6d 16 0001 09 ' +
      '0002 c3a9 ' +
      '20 18 ffffffff 01 01 02 00000002 03 0001 63 08 0001 72 09 0002 0102 26 0001 61 0001 62 ' +
      '0001 77 0000 0001 75 0001 70',
  },
  {
    name: 'CONNACK',
    version: 4,
    from: 'server',
    packet: { type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} },
    hex: '20 02 01 00',
  },
  {
    name: 'CONNACK that refuses',
    version: 4,
    from: 'server',
    packet: { type: 'connack', sessionPresent: false, reasonCode: 5, properties: {} },
    hex: '20 02 00 05',
  },
  {
    name: 'CONNACK',
    version: 5,
    from: 'server',
    packet: { type: 'connack', sessionPresent: false, reasonCode: 0x87, properties: {} },
    hex: '20 03 00 87 00',
  },
  {
    name: 'CONNACK with all',
    version: 5,
    from: 'server',
    packet: {
      type: 'connack',
      sessionPresent: true,
      reasonCode: 0,
      properties: {
        sessionExpirySec: 0,
        receiveMaximum: 65_535,
        maximumQos: 1,
        retainAvailable: false,
        maxPacketBytes: 1,
        assignedClientId: 'id',
        topicAliasMaximum: 0,
        reasonString: 'r',
        userProperties: [['', '']],
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: true,
        serverKeepAliveSec: 30,
        responseInformation: 'i',
        serverReference: 's',
        authenticationMethod: 'm',
        authenticationData: bytes(),
      },
    },
    hex:
      '20 3d 01 00 3a 11 00000000 21 ffff 24 01 25 00 27 00000001 12 0002 6964 22 0000 1f 0001 72 26 0000 0000 ' +
      '28 01 29 00 2a 01 13 001e 1a 0001 69 1c 0001 73 15 0001 6d 16 0000',
  },
];
