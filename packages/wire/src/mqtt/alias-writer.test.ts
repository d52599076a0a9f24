import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withTopicAlias } from './alias-writer.ts';
import { arbitraryPacket } from './arbitrary-packets.ts';
import { decodeAll } from './decode-all.ts';
import type { OutgoingPublish } from './packets.ts';
import { encodePublish, writePublish } from './publish-writer.ts';

const publishes = arbitraryPacket(5, 'server').filter(
  (packet): packet is OutgoingPublish => packet.type === 'publish' && packet.topic !== '' && packet.dup !== true,
);

function withoutAlias(publish: OutgoingPublish): OutgoingPublish {
  const { topicAlias: _, ...properties } = publish.properties ?? {};
  return { ...publish, properties };
}

function check(publish: OutgoingPublish, alias: number, withTopic: boolean): void {
  const plain = withoutAlias(publish);
  const whole = encodePublish(plain, 5);
  const before = Uint8Array.from(whole.bytes);
  const aliased = withTopicAlias(whole, alias, withTopic);
  const wanted = { ...plain, topic: withTopic ? plain.topic : '', properties: { ...plain.properties, topicAlias: alias } };
  expect(decodeAll([aliased.bytes], { version: 5, from: 'server' })).toEqual(
    decodeAll([encodePublish(wanted, 5).bytes], { version: 5, from: 'server' }),
  );
  expect(aliased.bytes.length).toBe(encodePublish(wanted, 5).bytes.length);
  expect(whole.bytes).toEqual(before);
  if (publish.qos === 0) expect(aliased.packetIdAt).toBe(-1);
  else {
    const into = new Uint8Array(aliased.bytes.length);
    writePublish(into, 0, aliased, 0x1234);
    expect(decodeAll([into], { version: 5, from: 'server' })).toMatchObject([{ packetId: 0x1234 }]);
  }
}

describe('a PUBLISH that is given a topic alias', () => {
  test('is what it would be, had it been encoded with it', () => {
    fc.assert(fc.property(publishes, fc.integer({ min: 1, max: 65_535 }), fc.boolean(), check), { numRuns: 500 });
  });

  test.each([0, 1, 2] as const)('keeps its form where lengths take a byte more or less (QoS %d)', (qos) => {
    const base = { type: 'publish', topic: 'telemetry/ü', qos, packetId: qos === 0 ? 0 : 7, payload: new Uint8Array(3) } as const;
    for (const size of [...range(90, 135), ...range(16_350, 16_390)]) {
      for (const withTopic of [false, true]) {
        check({ ...base, payload: new Uint8Array(size).fill(7) }, 5, withTopic);
        check({ ...base, properties: { correlationData: new Uint8Array(size) } }, 5, withTopic);
      }
    }
  });

  test('is shorter without its name by the name, less the property', () => {
    const whole = encodePublish({ type: 'publish', topic: 'telemetry/sensor', payload: new Uint8Array(5), qos: 0 }, 5);
    expect(withTopicAlias(whole, 1, false).bytes).toHaveLength(whole.bytes.length - 'telemetry/sensor'.length + 3);
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
