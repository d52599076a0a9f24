import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { expect, it } from 'vitest';
import { connectOf, publishOf, subscribeOf } from '../../packages/platform/src/broker/broker.fixture.ts';
import { openTestGateway, SocketClient } from '../../packages/platform/src/gateways/mqtt/gateway.fixture.ts';
import { BOTH } from './conformance.fixture.ts';

it.each(BOTH)(
  'TCP is served: ordered and lossless, both ways [MQTT-4.2.0-1] [MQTT-7.1.1-1 v3.1.1] (level %i)',
  async (version) => {
    await using gateway = await openTestGateway();
    const client = new SocketClient(gateway.port, version);
    try {
      client.send(connectOf(version), subscribeOf('a', 0));
      expect((await client.take(2)).length).toBe(2);
      const texts = Array.from({ length: 2_000 }, (_, i) => `message ${i}`);
      const bytes = Buffer.concat(texts.map((text) => encodePacket(publishOf('a', text), version)));
      // In writes of any size, so that packets are cut anywhere.
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 1_009)
        client.socket.write(bytes.subarray(at, at + size));
      const got = await client.take(texts.length);
      expect(got.map((line) => /message \d+/.exec(line)?.[0])).toEqual(texts);
    } finally {
      await client.close();
    }
  },
);
