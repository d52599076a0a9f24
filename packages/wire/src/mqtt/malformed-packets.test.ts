import { describe, expect, test } from 'vitest';
import { decodeAll } from './decode-all.ts';
import type { PacketDecoderOptions } from './decoder.ts';
import { type ConnackAnswer, MqttError } from './mqtt-error.ts';
import { fromHex } from './packet-vectors.ts';
import { ReasonCode } from './reason-codes.ts';

const MALFORMED = ReasonCode.malformedPacket;
const PROTOCOL = ReasonCode.protocolError;
const FROM_CLIENT_4 = { from: 'client', version: 4 } as const;
const FROM_CLIENT_5 = { from: 'client', version: 5 } as const;
const FROM_SERVER_4 = { from: 'server', version: 4 } as const;
const FROM_SERVER_5 = { from: 'server', version: 5 } as const;

type Case = readonly [name: string, hex: string, code: number, clause: string];

function faultOf(hex: string, options: Partial<PacketDecoderOptions>): MqttError {
  try {
    decodeAll([fromHex(hex)], options);
  } catch (error) {
    if (error instanceof MqttError) return error;
    throw error;
  }
  throw new Error('The packet was accepted');
}

function refuses(options: Partial<PacketDecoderOptions>, cases: readonly Case[]): void {
  test.each(cases)('%s', (_, hex, code, clause) => {
    const fault = faultOf(hex, options);
    expect({ code: fault.reasonCode, clause: fault.clause }).toEqual({ code, clause });
  });
}

describe('fixed header, 3.1.1', () => {
  refuses(FROM_CLIENT_4, [
    ['type 0', '00 00', MALFORMED, '[MQTT-2.1.2]'],
    ['type 15', 'f0 00', MALFORMED, '[MQTT-2.1.2]'],
    ['remaining length of five bytes', '30 ffffffff01', MALFORMED, '[MQTT-1.5.5]'],
    ['remaining length whose fourth byte goes on', '30 80808080', MALFORMED, '[MQTT-1.5.5]'],
    ['PUBACK with flags', '42 02 0001', MALFORMED, '[MQTT-2.1.3-1]'],
    ['PUBREL without its flags', '60 02 0001', MALFORMED, '[MQTT-3.6.1-1]'],
    ['SUBSCRIBE without its flags', '80 06 0001 0001 61 00', MALFORMED, '[MQTT-3.8.1-1]'],
    ['UNSUBSCRIBE without its flags', 'a0 05 0001 0001 61', MALFORMED, '[MQTT-3.10.1-1]'],
    ['DISCONNECT with flags', 'e1 00', MALFORMED, '[MQTT-3.14.1-1]'],
    ['PINGREQ with flags', 'c8 00', MALFORMED, '[MQTT-2.1.3-1]'],
    ['PINGREQ with a body', 'c0 01 00', MALFORMED, '[MQTT-2.1.4]'],
    ['PUBLISH with QoS 3', '36 05 0001 61 0001', MALFORMED, '[MQTT-3.3.1-4]'],
    ['PUBLISH with QoS 3, its end missing', '36 7f 0001', MALFORMED, '[MQTT-3.3.1-4]'],
    ['PUBLISH with DUP at QoS 0', '38 03 0001 61', MALFORMED, '[MQTT-3.3.1-2]'],
    ['CONNACK of a client', '20 02 0000', PROTOCOL, '[MQTT-2.1.2]'],
    ['SUBACK of a client', '90 03 0001 00', PROTOCOL, '[MQTT-2.1.2]'],
    ['UNSUBACK of a client', 'b0 02 0001', PROTOCOL, '[MQTT-2.1.2]'],
    ['PINGRESP of a client', 'd0 00', PROTOCOL, '[MQTT-2.1.2]'],
    ['second CONNECT', '10 0c 0004 4d515454 04 02 0000 0000', PROTOCOL, '[MQTT-3.1.0-2]'],
  ]);
});

describe('fixed header, 5.0', () => {
  refuses(FROM_CLIENT_5, [
    ['remaining length that is not the shortest', '30 8400 0001 61 00', MALFORMED, '[MQTT-1.5.5-1]'],
    ['remaining length that is not the shortest, of a PINGREQ', 'c0 8000', MALFORMED, '[MQTT-1.5.5-1]'],
    ['AUTH with flags', 'f1 00', MALFORMED, '[MQTT-3.15.1-1]'],
  ]);
});

describe('packets that a server may not send', () => {
  refuses(FROM_SERVER_4, [
    ['CONNECT', '10 0c 0004 4d515454 04 02 0000 0000', PROTOCOL, '[MQTT-2.1.2]'],
    ['SUBSCRIBE', '82 06 0001 0001 61 00', PROTOCOL, '[MQTT-2.1.2]'],
    ['UNSUBSCRIBE', 'a2 05 0001 0001 61', PROTOCOL, '[MQTT-2.1.2]'],
    ['PINGREQ', 'c0 00', PROTOCOL, '[MQTT-2.1.2]'],
    ['DISCONNECT in 3.1.1', 'e0 00', PROTOCOL, '[MQTT-2.1.2]'],
  ]);
});

describe('before CONNECT', () => {
  refuses({ from: 'client' }, [
    ['PUBLISH', '30 03 0001 61', PROTOCOL, '[MQTT-3.1.0-1]'],
    ['PINGREQ', 'c0 00', PROTOCOL, '[MQTT-3.1.0-1]'],
    ['AUTH', 'f0 00', PROTOCOL, '[MQTT-3.1.0-1]'],
    ['the first bytes of a PUBLISH', '30 ff', PROTOCOL, '[MQTT-3.1.0-1]'],
    ['HTTP', '47 45 54 20 2f', MALFORMED, '[MQTT-2.1.3-1]'],
    ['TLS', '16 03 01 02', MALFORMED, '[MQTT-2.1.3-1]'],
  ]);
});

describe('CONNECT', () => {
  const connect = (body: string): string => `10 ${(body.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0')} ${body}`;
  const cases: readonly (readonly [
    name: string,
    body: string,
    code: number,
    clause: string,
    connack: ConnackAnswer | undefined,
  ])[] = [
    ['of another protocol', '0004 48545450 04 02 0000 0000', 0x84, '[MQTT-3.1.2-1]', undefined],
    ['of a name in lower case', '0004 6d717474 05 02 0000 00 0000', 0x84, '[MQTT-3.1.2-1]', undefined],
    ['of MQTT 3.1', '0006 4d5149736470 03 02 0000 0001 61', 0x84, '[MQTT-3.1.2-2]', { version: 4, code: 1 }],
    ['with level 3', '0004 4d515454 03 02 0000 0000', 0x84, '[MQTT-3.1.2-2]', { version: 4, code: 1 }],
    ['with level 6', '0004 4d515454 06 02 0000 00 0000', 0x84, '[MQTT-3.1.2-2]', { version: 5, code: 0x84 }],
    ['of a bridge', '0004 4d515454 84 02 0000 0000', 0x84, '[MQTT-3.1.2-2]', { version: 4, code: 1 }],
    ['with the reserved flag, 3.1.1', '0004 4d515454 04 03 0000 0000', MALFORMED, '[MQTT-3.1.2-3]', undefined],
    ['with the reserved flag, 5.0', '0004 4d515454 05 03 0000 00 0000', MALFORMED, '[MQTT-3.1.2-3]', { version: 5, code: 0x81 }],
    ['with will QoS 3', '0004 4d515454 04 1e 0000 0000 0001 61 0000', MALFORMED, '[MQTT-3.1.2-12]', undefined],
    ['with a will QoS but no will', '0004 4d515454 04 0a 0000 0000', MALFORMED, '[MQTT-3.1.2-11]', undefined],
    ['with will retain but no will', '0004 4d515454 04 22 0000 0000', MALFORMED, '[MQTT-3.1.2-13]', undefined],
    ['with a password alone, 3.1.1', '0004 4d515454 04 42 0000 0000 0001 70', MALFORMED, '[MQTT-3.1.2-22]', undefined],
    [
      'of a session to be kept without an id, 3.1.1',
      '0004 4d515454 04 00 0000 0000',
      0x85,
      '[MQTT-3.1.3-8]',
      { version: 4, code: 2 },
    ],
    ['with a wildcard in the will topic', '0004 4d515454 04 06 0000 0000 0001 23 0000', 0x90, '[MQTT-4.7.0-1]', undefined],
    [
      'with an empty will topic',
      '0004 4d515454 05 06 0000 00 0000 00 0000 0000',
      0x90,
      '[MQTT-4.7.0-1]',
      { version: 5, code: 0x90 },
    ],
    ['with bad UTF-8 in the id', '0004 4d515454 04 02 0000 0001 ff', MALFORMED, '[MQTT-1.5.4-1]', undefined],
    ['with U+0000 in the id', '0004 4d515454 04 02 0000 0001 00', MALFORMED, '[MQTT-1.5.4-2]', undefined],
    ['whose user name is missing', '0004 4d515454 04 82 0000 0000', MALFORMED, '[MQTT-2.1.4]', undefined],
    ['with bytes behind', '0004 4d515454 04 02 0000 0000 00', MALFORMED, '[MQTT-2.1.4]', undefined],
    ['that ends behind the level', '0004 4d515454 05', MALFORMED, '[MQTT-2.1.4]', { version: 5, code: 0x81 }],
    [
      'with a receive maximum of 0',
      '0004 4d515454 05 02 0000 03 21 0000 0000',
      PROTOCOL,
      '[MQTT-3.1.2.11.3]',
      { version: 5, code: 0x82 },
    ],
    [
      'with a packet size of 0',
      '0004 4d515454 05 02 0000 05 27 00000000 0000',
      PROTOCOL,
      '[MQTT-3.1.2.11.4]',
      { version: 5, code: 0x82 },
    ],
    [
      'with a flag property of 2',
      '0004 4d515454 05 02 0000 02 19 02 0000',
      PROTOCOL,
      '[MQTT-3.1.2.11.6]',
      { version: 5, code: 0x82 },
    ],
    [
      'with authentication data alone',
      '0004 4d515454 05 02 0000 03 16 0000 0000',
      PROTOCOL,
      '[MQTT-3.1.2.11.10]',
      { version: 5, code: 0x82 },
    ],
    [
      'with a property twice',
      '0004 4d515454 05 02 0000 06 22 0001 22 0001 0000',
      PROTOCOL,
      '[MQTT-3.1.2.11.5]',
      { version: 5, code: 0x82 },
    ],
    [
      'with a property of PUBLISH',
      '0004 4d515454 05 02 0000 03 23 0001 0000',
      MALFORMED,
      '[MQTT-2.2.2.2]',
      { version: 5, code: 0x81 },
    ],
    [
      'with an unknown property',
      '0004 4d515454 05 02 0000 02 7f 00 0000',
      MALFORMED,
      '[MQTT-2.2.2.2]',
      { version: 5, code: 0x81 },
    ],
    [
      'with a will payload format of 2',
      '0004 4d515454 05 06 0000 00 0000 02 01 02 0001 61 0000',
      PROTOCOL,
      '[MQTT-3.1.3.2.3]',
      { version: 5, code: 0x82 },
    ],
  ];

  test.each(cases)('%s', (_, body, code, clause, connack) => {
    const fault = faultOf(connect(body), { from: 'client' });
    expect({ code: fault.reasonCode, clause: fault.clause, connack: fault.connack }).toEqual({ code, clause, connack });
  });

  test('with a remaining length that is not the shortest is refused in 5.0 only', () => {
    expect(faultOf('10 8d00 0004 4d515454 05 02 0000 00 0000', { from: 'client' }).clause).toBe('[MQTT-1.5.5-1]');
    expect(decodeAll([fromHex('10 8c00 0004 4d515454 04 02 0000 0000')], { from: 'client' })).toHaveLength(1);
  });
});

describe('PUBLISH, 3.1.1', () => {
  refuses(FROM_CLIENT_4, [
    ['empty', '30 00', MALFORMED, '[MQTT-2.1.4]'],
    ['half a topic length', '30 01 00', MALFORMED, '[MQTT-2.1.4]'],
    ['topic longer than the packet', '30 03 0002 61', MALFORMED, '[MQTT-2.1.4]'],
    ['no packet id', '32 03 0001 61', MALFORMED, '[MQTT-2.1.4]'],
    ['half a packet id', '32 04 0001 61 00', MALFORMED, '[MQTT-2.1.4]'],
    ['packet id 0', '32 05 0001 61 0000', MALFORMED, '[MQTT-2.2.1-3]'],
    ['empty topic', '30 02 0000', 0x90, '[MQTT-4.7.3-1]'],
    ['+ in the topic', '30 05 0003 612f2b', 0x90, '[MQTT-3.3.2-2]'],
    ['# in the topic', '30 05 0003 612f23', 0x90, '[MQTT-3.3.2-2]'],
    ['U+0000 in the topic', '30 05 0003 610061', MALFORMED, '[MQTT-4.7.3-2]'],
    ['overlong UTF-8 in the topic', '30 04 0002 c0af', MALFORMED, '[MQTT-1.5.4-1]'],
    ['overlong U+0000 in the topic', '30 04 0002 c080', MALFORMED, '[MQTT-1.5.4-1]'],
    ['surrogate in the topic', '30 05 0003 eda080', MALFORMED, '[MQTT-1.5.4-1]'],
    ['surrogate pair (CESU-8) in the topic', '30 08 0006 eda0bdedb880', MALFORMED, '[MQTT-1.5.4-1]'],
    ['more than U+10FFFF in the topic', '30 06 0004 f4908080', MALFORMED, '[MQTT-1.5.4-1]'],
    ['cut UTF-8 in the topic', '30 04 0002 61c3', MALFORMED, '[MQTT-1.5.4-1]'],
    ['lone continuation byte in the topic', '30 03 0001 80', MALFORMED, '[MQTT-1.5.4-1]'],
  ]);
});

describe('PUBLISH, 5.0', () => {
  refuses(FROM_CLIENT_5, [
    ['no property length', '30 03 0001 61', MALFORMED, '[MQTT-2.1.4]'],
    ['property length behind the end', '30 05 0001 61 02 01', MALFORMED, '[MQTT-2.1.4]'],
    ['property length that is not the shortest', '30 05 0001 61 8000', MALFORMED, '[MQTT-1.5.5-1]'],
    ['property length of five bytes', '30 08 0001 61 8080808001', MALFORMED, '[MQTT-1.5.5]'],
    ['property that is cut', '30 06 0001 61 02 02 00', MALFORMED, '[MQTT-2.1.4]'],
    ['property that goes past the property length', '30 08 0001 61 02 03 0001 61', MALFORMED, '[MQTT-2.1.4]'],
    ['topic alias 0', '30 07 0001 61 03 23 0000', 0x94, '[MQTT-3.3.2-8]'],
    ['payload format 2', '30 06 0001 61 02 01 02', PROTOCOL, '[MQTT-3.3.2.3.2]'],
    ['payload format twice', '30 08 0001 61 04 0100 0100', PROTOCOL, '[MQTT-3.3.2.3.2]'],
    ['topic alias twice', '30 0a 0001 61 06 230001 230001', PROTOCOL, '[MQTT-3.3.2.3.4]'],
    ['neither topic nor alias', '30 03 0000 00', PROTOCOL, '[MQTT-3.3.2.1]'],
    ['neither topic nor alias, with properties', '30 05 0000 02 0101', PROTOCOL, '[MQTT-3.3.2.1]'],
    ['wildcard in the response topic', '30 08 0001 61 04 08 0001 23', PROTOCOL, '[MQTT-3.3.2-14]'],
    ['empty response topic', '30 07 0001 61 03 08 0000', PROTOCOL, '[MQTT-3.3.2-14]'],
    ['subscription identifier of a client', '30 06 0001 61 02 0b 01', PROTOCOL, '[MQTT-3.3.4-6]'],
    ['session expiry', '30 09 0001 61 05 11 00000000', MALFORMED, '[MQTT-2.2.2.2]'],
    ['bad UTF-8 in a user property', '30 0a 0001 61 06 26 0000 0001 ff', MALFORMED, '[MQTT-1.5.4-1]'],
    ['U+0000 in a user property', '30 0a 0001 61 06 26 0001 00 0000', MALFORMED, '[MQTT-1.5.4-2]'],
  ]);
  refuses(FROM_SERVER_5, [['subscription identifier 0', '30 06 0001 61 02 0b 00', PROTOCOL, '[MQTT-3.3.2.3.8]']]);
});

describe('acknowledgements', () => {
  refuses(FROM_CLIENT_4, [
    ['packet id 0', '40 02 0000', MALFORMED, '[MQTT-2.2.1-3]'],
    ['empty', '50 00', MALFORMED, '[MQTT-2.1.4]'],
    ['a reason code in 3.1.1', '62 03 0001 00', MALFORMED, '[MQTT-2.1.4]'],
  ]);
  refuses(FROM_CLIENT_5, [
    ['PUBACK with a foreign code', '40 03 0001 92', PROTOCOL, '[MQTT-3.4.2-1]'],
    ['PUBREC with a foreign code', '50 03 0001 01', PROTOCOL, '[MQTT-3.5.2-1]'],
    ['PUBREL with a foreign code', '62 03 0001 10', PROTOCOL, '[MQTT-3.6.2-1]'],
    ['PUBCOMP with a foreign code', '70 03 0001 80', PROTOCOL, '[MQTT-3.7.2-1]'],
    ['a reason string twice', '40 0a 0001 00 06 1f0000 1f0000', PROTOCOL, '[MQTT-3.4.2.2.2]'],
    ['a foreign property', '40 06 0001 00 02 0101', MALFORMED, '[MQTT-2.2.2.2]'],
    ['bytes behind the properties', '40 05 0001 00 00 00', MALFORMED, '[MQTT-2.1.4]'],
  ]);
});

describe('SUBSCRIBE and UNSUBSCRIBE', () => {
  refuses(FROM_CLIENT_4, [
    ['packet id 0', '82 06 0000 0001 61 00', MALFORMED, '[MQTT-2.2.1-3]'],
    ['no filter', '82 02 0001', PROTOCOL, '[MQTT-3.8.3-2]'],
    ['no filter to unsubscribe', 'a2 02 0001', PROTOCOL, '[MQTT-3.10.3-2]'],
    ['packet id 0 of UNSUBSCRIBE', 'a2 05 0000 0001 61', MALFORMED, '[MQTT-2.2.1-3]'],
    ['no options', '82 05 0001 0001 61', MALFORMED, '[MQTT-2.1.4]'],
    ['options of 5.0', '82 06 0001 0001 61 04', MALFORMED, '[MQTT-3.8.3-5]'],
    ['QoS 3', '82 06 0001 0001 61 03', PROTOCOL, '[MQTT-3.8.3.1]'],
    ['empty filter', '82 05 0001 0000 00', 0x8f, '[MQTT-4.7.1-1]'],
    ['filter with # inside', '82 08 0001 0003 232f61 00', 0x8f, '[MQTT-4.7.1-1]'],
    ['filter with + beside a letter', '82 07 0001 0002 612b 00', 0x8f, '[MQTT-4.7.1-1]'],
    ['bad filter to unsubscribe', 'a2 06 0001 0002 6123', 0x8f, '[MQTT-4.7.1-1]'],
    ['bad UTF-8 in a filter', '82 06 0001 0001 ff 00', MALFORMED, '[MQTT-1.5.4-1]'],
  ]);
  refuses(FROM_CLIENT_5, [
    ['reserved bits', '82 07 0001 00 0001 61 40', MALFORMED, '[MQTT-3.8.3-5]'],
    ['retain handling 3', '82 07 0001 00 0001 61 30', PROTOCOL, '[MQTT-3.8.3.1]'],
    ['QoS 3 in 5.0', '82 07 0001 00 0001 61 03', PROTOCOL, '[MQTT-3.8.3.1]'],
    ['no local on a shared subscription', '82 10 0001 00 000a 2473686172652f672f61 04', PROTOCOL, '[MQTT-3.8.3-4]'],
    ['shared filter without a group', '82 0e 0001 00 0008 2473686172652f2f 00', 0x8f, '[MQTT-4.7.1-1]'],
    ['subscription identifier 0', '82 09 0001 02 0b00 0001 61 00', PROTOCOL, '[MQTT-3.8.2.1.2]'],
    ['subscription identifier twice', '82 0b 0001 04 0b01 0b02 0001 61 00', PROTOCOL, '[MQTT-3.8.2.1.2]'],
    ['subscription identifier in UNSUBSCRIBE', 'a2 08 0001 02 0b01 0001 61', MALFORMED, '[MQTT-2.2.2.2]'],
  ]);
});

describe('packets of a server', () => {
  refuses(FROM_SERVER_4, [
    ['CONNACK with reserved flags', '20 02 02 00', MALFORMED, '[MQTT-3.2.2-1]'],
    ['CONNACK with a foreign code', '20 02 00 06', PROTOCOL, '[MQTT-3.2.2-8]'],
    ['CONNACK that refuses a present session', '20 02 01 05', PROTOCOL, '[MQTT-3.2.2-6]'],
    ['CONNACK with bytes behind', '20 03 00 00 00', MALFORMED, '[MQTT-2.1.4]'],
    ['SUBACK without codes', '90 02 0001', MALFORMED, '[MQTT-3.9.3-2]'],
    ['SUBACK with a code of 5.0', '90 03 0001 87', PROTOCOL, '[MQTT-3.9.3-2]'],
    ['UNSUBACK with codes in 3.1.1', 'b0 03 0001 00', MALFORMED, '[MQTT-2.1.4]'],
  ]);
  refuses(FROM_SERVER_5, [
    ['CONNACK with a return code of 3.1.1', '20 03 00 05 00', PROTOCOL, '[MQTT-3.2.2-8]'],
    ['CONNACK without properties', '20 02 00 00', MALFORMED, '[MQTT-2.1.4]'],
    ['CONNACK with maximum QoS 2', '20 05 00 00 02 24 02', PROTOCOL, '[MQTT-3.2.2.3.4]'],
    ['CONNACK with a receive maximum of 0', '20 06 00 00 03 21 0000', PROTOCOL, '[MQTT-3.2.2.3.3]'],
    ['CONNACK with authentication data alone', '20 06 00 00 03 16 0000', PROTOCOL, '[MQTT-3.2.2.3.18]'],
    ['SUBACK with a foreign code', '90 04 0001 00 11', PROTOCOL, '[MQTT-3.9.3-2]'],
    ['UNSUBACK with a foreign code', 'b0 04 0001 00 01', PROTOCOL, '[MQTT-3.11.3-2]'],
    ['UNSUBACK without codes', 'b0 03 0001 00', MALFORMED, '[MQTT-3.11.3-2]'],
    ['DISCONNECT with a session expiry', 'e0 07 00 05 11 00000000', PROTOCOL, '[MQTT-3.14.2-2]'],
    ['DISCONNECT with a foreign code', 'e0 01 01', PROTOCOL, '[MQTT-3.14.2-1]'],
    ['AUTH with a foreign code', 'f0 02 01 00', PROTOCOL, '[MQTT-3.15.2-1]'],
    ['AUTH without a method', 'f0 02 18 00', PROTOCOL, '[MQTT-3.15.2.2.2]'],
  ]);
});

test('a DISCONNECT of 3.1.1 has no body', () => {
  expect(faultOf('e0 01 00', FROM_CLIENT_4).clause).toBe('[MQTT-2.1.4]');
});

test('U+FEFF is kept wherever it stands [MQTT-1.5.4-3]', () => {
  expect(decodeAll([fromHex('30 09 0007 efbbbf61efbbbf')], FROM_CLIENT_4)).toMatchObject([{ topic: '\uFEFFa\uFEFF' }]);
});
