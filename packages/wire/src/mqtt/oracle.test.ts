import fc, { type Arbitrary } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryConnect, arbitraryPacket } from './arbitrary-packets.ts';
import { decodeAll } from './decode-all.ts';
import { encodePacket } from './encoder.ts';
import { MqttError } from './mqtt-error.ts';
import { oracleDecode, oracleEncode } from './oracle.ts';
import { fromHex } from './packet-vectors.ts';
import type { OutgoingPacket, ProtocolVersion } from './packets.ts';

/*
 * mqtt-packet is the oracle: both sides read what the other writes. Left out is what it cannot write or read though the specification
 * allows it: in 5.0 a password without a user name, and a session to be kept without a client id.
 */

function bothCanWrite(packet: OutgoingPacket): boolean {
  if (packet.type !== 'connect') return true;
  return (packet.password === undefined || packet.username !== undefined) && (packet.clientId !== '' || packet.cleanStart);
}

/** Its own marks on a packet, which do not come from the bytes' meaning. */
function meaning(packets: readonly object[]): unknown {
  return packets.map((packet) => ({ ...packet, length: 0 }));
}

describe.each([4, 5] as const)('version %d', (version: ProtocolVersion) => {
  const cases: readonly (readonly [name: string, packets: Arbitrary<OutgoingPacket>, from: 'client' | 'server', set: boolean])[] =
    [
      ['a CONNECT', arbitraryConnect(version), 'client', false],
      ['what a client sends', arbitraryPacket(version, 'client'), 'client', true],
      ['what a server sends', arbitraryPacket(version, 'server'), 'server', true],
    ];

  test.each(cases)('%s means the same to both', (_, packets, from, set) => {
    fc.assert(
      fc.property(packets.filter(bothCanWrite), (packet) => {
        const ours = encodePacket(packet, version);
        const theirs = oracleEncode(packet, version);
        expect(decodeAll([theirs], set ? { version, from } : { from })).toEqual([packet]);
        expect(meaning(oracleDecode(ours, version))).toEqual(meaning(oracleDecode(theirs, version)));
      }),
      { numRuns: 500 },
    );
  });
});

/** Where we refuse what mqtt-packet accepts, each because a clause says so. */
describe('stricter than the oracle', () => {
  const cases: readonly (readonly [what: string, version: ProtocolVersion, from: 'client' | 'server', hex: string])[] = [
    ['ill-formed UTF-8 [MQTT-1.5.4-1]', 4, 'client', '30 03 0001 ff'],
    ['U+0000 in a string [MQTT-1.5.4-2]', 4, 'client', '30 03 0001 00'],
    ['a length that is not the shortest, 5.0 [MQTT-1.5.5-1]', 5, 'client', '30 8400 0001 61 00'],
    ['packet id 0 [MQTT-2.2.1-3]', 4, 'client', '32 05 0001 61 0000'],
    ['DUP at QoS 0 [MQTT-3.3.1-2]', 4, 'client', '38 03 0001 61'],
    ['a wildcard in a topic name [MQTT-3.3.2-2]', 4, 'client', '30 03 0001 23'],
    ['an empty topic name [MQTT-4.7.3-1]', 4, 'client', '30 02 0000'],
    ['topic alias 0 [MQTT-3.3.2-8]', 5, 'client', '30 07 0001 61 03 23 0000'],
    ['a subscription identifier of a client [MQTT-3.3.4-6]', 5, 'client', '30 06 0001 61 02 0b 01'],
    ['a property twice', 5, 'client', '30 08 0001 61 04 0101 0101'],
    ['a property in the wrong packet', 5, 'client', '30 09 0001 61 05 11 00000000'],
    ['a flag that is 2', 5, 'client', '30 06 0001 61 02 01 02'],
    ['a receive maximum of 0', 5, 'client', '10 10 0004 4d515454 05 02 0000 03 21 0000 0000'],
    ['bytes behind the last field', 4, 'client', '40 03 0001 00'],
    ['a body of PINGREQ', 4, 'client', 'c0 01 00'],
    ['a SUBSCRIBE without a filter [MQTT-3.8.3-2]', 4, 'client', '82 02 0001'],
    ['an UNSUBSCRIBE without a filter [MQTT-3.10.3-2]', 4, 'client', 'a2 02 0001'],
    ['a filter with misplaced wildcards [MQTT-4.7.1-1]', 4, 'client', '82 08 0001 0003 232f61 00'],
    ['no local on a shared subscription [MQTT-3.8.3-4]', 5, 'client', '82 10 0001 00 000a 2473686172652f672f61 04'],
    ['a password without a user name, 3.1.1 [MQTT-3.1.2-22]', 4, 'client', '10 0f 0004 4d515454 04 42 0000 0000 0001 70'],
    ['will QoS 3 [MQTT-3.1.2-12]', 4, 'client', '10 11 0004 4d515454 04 1e 0000 0000 0001 61 0000'],
    ['MQTT 3.1', 4, 'client', '10 0f 0006 4d5149736470 03 02 0000 0001 61'],
    ['the level of a bridge', 4, 'client', '10 0c 0004 4d515454 84 02 0000 0000'],
    ['a session to be kept without a client id, 3.1.1 [MQTT-3.1.3-8]', 4, 'client', '10 0c 0004 4d515454 04 00 0000 0000'],
    ['a code that CONNACK does not have [MQTT-3.2.2-8]', 4, 'server', '20 02 00 06'],
    ['a present session with a refusal [MQTT-3.2.2-6]', 4, 'server', '20 02 01 05'],
    ['a DISCONNECT of a server with a session expiry [MQTT-3.14.2-2]', 5, 'server', 'e0 07 00 05 11 00000000'],
    ['an AUTH without a method', 5, 'client', 'f0 02 18 00'],
  ];

  test.each(cases)('%s', (_, version, from, hex) => {
    const bytes = fromHex(hex);
    expect(oracleDecode(bytes, version)).toHaveLength(1);
    const set = bytes[0] === 0x10 ? {} : { version };
    expect(() => decodeAll([bytes], { from, ...set })).toThrow(MqttError);
  });
});

/** Where we accept what mqtt-packet refuses, because the specification allows it. */
test('an AUTH of success may leave out all else (section 3.15.2.1)', () => {
  expect(() => oracleDecode(fromHex('f0 00'), 5)).toThrow('Invalid auth reason code');
  expect(decodeAll([fromHex('f0 00')], { version: 5 })).toEqual([{ type: 'auth', reasonCode: 0 }]);
});
