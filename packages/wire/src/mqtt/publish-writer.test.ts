import { describe, expect, test } from 'vitest';
import { decodeAll } from './decode-all.ts';
import { encodePacket } from './encoder.ts';
import { MqttError } from './mqtt-error.ts';
import type { OutgoingPublish } from './packets.ts';
import { ACK_BYTES, encodePublish, writeAck, writePublish } from './publish-writer.ts';
import { EMPTY_TOPIC, Topic, TopicCache } from './topic-cache.ts';

const PUBLISH: OutgoingPublish = { type: 'publish', topic: 'a/ü', payload: Uint8Array.of(1, 2, 3), qos: 1, retain: true };
const TOPIC = new TopicCache(10).intern(Buffer.from('a/ü'), 0, 4);

describe('fan-out', () => {
  test.each([4, 5] as const)('a PUBLISH encoded once is sent under many packet ids (version %d)', (version) => {
    const encoded = encodePublish({ ...PUBLISH, topic: TOPIC }, version);
    const into = new Uint8Array(3 * encoded.bytes.length + 5);
    let at = 5;
    for (const packetId of [1, 65_535]) at = writePublish(into, at, encoded, packetId);
    at = writePublish(into, at, encoded, 258, true);
    expect(at).toBe(into.length);
    const packets = decodeAll([into.subarray(5)], { version, from: 'server' });
    expect(packets).toMatchObject([
      { topic: 'a/ü', payload: Uint8Array.of(1, 2, 3), qos: 1, retain: true, dup: false, packetId: 1 },
      { packetId: 65_535, dup: false },
      { packetId: 258, dup: true, retain: true, qos: 1 },
    ]);
  });

  test('at QoS 0 there is no packet id to write', () => {
    const encoded = encodePublish({ ...PUBLISH, qos: 0 }, 4);
    expect(encoded.packetIdAt).toBe(-1);
    const into = new Uint8Array(encoded.bytes.length);
    writePublish(into, 0, encoded, 0);
    expect(into).toEqual(encoded.bytes);
  });

  test('packet id 0 is refused', () => {
    const encoded = encodePublish(PUBLISH, 4);
    expect(() => writePublish(new Uint8Array(100), 0, encoded, 0)).toThrow(MqttError);
    expect(() => encodePacket(PUBLISH, 4)).toThrow(MqttError);
  });

  test('a Topic and its name give the same bytes', () => {
    for (const version of [4, 5] as const) {
      const properties = { messageExpirySec: 60, userProperties: [['a', 'b']] as const };
      expect(encodePublish({ ...PUBLISH, topic: TOPIC, properties }, version)).toEqual(
        encodePublish({ ...PUBLISH, properties }, version),
      );
    }
  });

  test('a payload of any length gets the shortest remaining length', () => {
    for (const length of [0, 121, 122, 16_377, 16_378, 2_097_145, 2_097_146]) {
      const { bytes } = encodePublish({ type: 'publish', topic: 'a/b', payload: new Uint8Array(length), qos: 0 }, 5);
      const [packet] = decodeAll([bytes], { version: 5, from: 'server' });
      expect(packet?.type === 'publish' && packet.payload.length).toBe(length);
    }
  });
});

describe('what may not be sent', () => {
  const cases: readonly (readonly [name: string, publish: Partial<OutgoingPublish>, version: 4 | 5])[] = [
    ['an empty topic in 3.1.1', { topic: '' }, 4],
    ['the empty Topic in 3.1.1', { topic: EMPTY_TOPIC, properties: { topicAlias: 1 } }, 4],
    ['an empty topic without an alias', { topic: '' }, 5],
    ['a wildcard', { topic: 'a/#' }, 4],
    ['a lone surrogate', { topic: '\ud800' }, 4],
    ['DUP at QoS 0', { qos: 0, dup: true }, 4],
    ['topic alias 0', { properties: { topicAlias: 0 } }, 5],
    ['a topic alias too large', { properties: { topicAlias: 65_536 } }, 5],
    ['a response topic with a wildcard', { properties: { responseTopic: '+' } }, 5],
    ['U+0000 in a user property', { properties: { userProperties: [['a', '\0']] } }, 5],
    ['a string that is too long', { properties: { contentType: 'a'.repeat(65_536) } }, 5],
    ['subscription identifier 0', { properties: { subscriptionIdentifiers: [0] } }, 5],
  ];

  test.each(cases)('%s', (_, publish, version) => {
    expect(() => encodePublish({ ...PUBLISH, ...publish }, version)).toThrow(MqttError);
  });

  test('an empty topic with an alias may be sent', () => {
    for (const topic of ['', EMPTY_TOPIC, new Topic('', new Uint8Array(0))]) {
      const { bytes } = encodePublish({ ...PUBLISH, topic, packetId: 1, properties: { topicAlias: 1 } }, 5);
      expect(decodeAll([bytes], { version: 5, from: 'server' })).toMatchObject([{ topic: '', properties: { topicAlias: 1 } }]);
    }
  });
});

test.each(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)('writeAck writes a %s as encodePacket does', (type) => {
  for (const packetId of [1, 255, 256, 65_535]) {
    const into = new Uint8Array(ACK_BYTES + 2);
    expect(writeAck(into, 1, type, packetId)).toBe(1 + ACK_BYTES);
    expect(into.subarray(1, 1 + ACK_BYTES)).toEqual(encodePacket({ type, packetId, reasonCode: 0 }, 5));
  }
});
