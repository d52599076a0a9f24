import { describe, expect, test } from 'vitest';
import { decodeAll, feed, newDecoder } from './decode-all.ts';
import { encodePacket } from './encoder.ts';
import { MqttError } from './mqtt-error.ts';
import { fromHex, PACKET_VECTORS, type PacketVector } from './packet-vectors.ts';
import type { PacketDecoderOptions } from './decoder.ts';

const CONNECT_5 = fromHex('10 0d 0004 4d515454 05 02 0000 00 0000');
const CONNECT_4 = fromHex('10 0c 0004 4d515454 04 02 0000 0000');

/** A CONNECT sets the version itself; each other packet finds it set. */
function options({ version, from, packet }: PacketVector): Partial<PacketDecoderOptions> {
  return packet.type === 'connect' ? { from } : { from, version };
}

describe.each(PACKET_VECTORS.map((vector) => [`${vector.name} (${vector.version === 4 ? '3.1.1' : '5.0'})`, vector] as const))(
  '%s',
  (_, vector) => {
    const bytes = fromHex(vector.hex);

    test('is parsed', () => {
      expect(decodeAll([bytes], options(vector))).toEqual([vector.packet]);
      for (const hex of vector.alsoHex ?? []) expect(decodeAll([fromHex(hex)], options(vector))).toEqual([vector.packet]);
    });

    test('is generated', () => {
      expect(Buffer.from(encodePacket(vector.packet, vector.version)).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
    });

    test('is parsed from a stream that is cut anywhere', () => {
      const stream = vector.packet.type === 'connect' ? bytes : Buffer.concat([bytes, bytes, bytes]);
      const expected = vector.packet.type === 'connect' ? [vector.packet] : [vector.packet, vector.packet, vector.packet];
      for (let first = 0; first <= stream.length; first++) {
        for (let second = first; second <= stream.length; second++) {
          const chunks = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
          expect(decodeAll(chunks, options(vector))).toEqual(expected);
        }
      }
      expect(
        decodeAll(
          Array.from(stream, (byte) => Uint8Array.of(byte)),
          options(vector),
        ),
      ).toEqual(expected);
    });

    test('says nothing while its end is missing', () => {
      for (let length = 0; length < bytes.length; length++) {
        const decoder = newDecoder(options(vector));
        expect(feed(decoder, bytes.subarray(0, length))).toEqual([]);
        expect(decoder.bufferedBytes).toBe(length);
        expect(feed(decoder, bytes.subarray(length))).toEqual([vector.packet]);
        expect(decoder.bufferedBytes).toBe(0);
      }
    });

    test('is an error or another packet when it is cut short but whole by its own length', () => {
      for (let length = 2; length < bytes.length; length++) {
        const cut = Uint8Array.from(bytes.subarray(0, length));
        cut[1] = length - 2;
        try {
          expect(decodeAll([cut], options(vector))).not.toEqual([vector.packet]);
        } catch (error) {
          expect(error).toBeInstanceOf(MqttError);
        }
      }
    });

    test('is an error when bytes follow within its length, unless they are payload or the next item of a list', () => {
      if (['publish', 'suback', 'unsuback'].includes(vector.packet.type)) return;
      const longer = Uint8Array.from([...bytes, 0]);
      longer[1]! += 1;
      // One byte behind a packet that leaves out its reason code or its properties is just that.
      const wasShort =
        vector.version === 5 && ['puback', 'pubrec', 'pubrel', 'pubcomp', 'disconnect', 'auth'].includes(vector.packet.type);
      if (wasShort && vector.alsoHex !== undefined) return;
      if (wasShort && vector.name.endsWith('reason code')) return;
      expect(() => decodeAll([longer], options(vector))).toThrow(MqttError);
    });
  },
);

test('a CONNECT sets the version for the packets behind it', () => {
  const publish4 = fromHex('30 04 0001 61 07');
  const publish5 = fromHex('30 05 0001 61 00 07');
  expect(decodeAll([CONNECT_4, publish4], {})).toMatchObject([
    { version: 4 },
    { payload: Uint8Array.of(7), properties: undefined },
  ]);
  expect(decodeAll([CONNECT_5, publish5], {})).toMatchObject([
    { version: 5 },
    { payload: Uint8Array.of(7), properties: undefined },
  ]);
  const decoder = newDecoder({});
  feed(decoder, CONNECT_5);
  expect(decoder.version).toBe(5);
});

test('the reasons of 5.0 are left out in 3.1.1', () => {
  const hex = (packet: Parameters<typeof encodePacket>[0]): string => Buffer.from(encodePacket(packet, 4)).toString('hex');
  expect(hex({ type: 'puback', packetId: 1, reasonCode: 0x10, reasonString: 'r' })).toBe('40020001');
  expect(hex({ type: 'disconnect', reasonCode: 0x8e, reasonString: 'r' })).toBe('e000');
  expect(hex({ type: 'suback', packetId: 1, reasonCodes: [0x87, 1], reasonString: 'r' })).toBe('900400018001');
  expect(hex({ type: 'unsuback', packetId: 1, reasonCodes: [0x11] })).toBe('b0020001');
  expect(hex({ type: 'publish', topic: 'a', payload: Uint8Array.of(), qos: 0, properties: { messageExpirySec: 1 } })).toBe(
    '3003000161',
  );
});
