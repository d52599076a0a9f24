import type { Will } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { subscribeOf, type TestBroker, type TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import { arrive, BOTH, kept, lose, openBroker, packetOf } from './conformance.fixture.ts';

const WILL: Will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} };

async function watch(test: TestBroker): Promise<TestClient> {
  const watcher = await test.connect(5, { clientId: 'watcher' });
  watcher.send(subscribeOf('will', 2, { retainAsPublished: true }));
  await watcher.take();
  return watcher;
}

describe('a will', () => {
  it.each(BOTH)(
    'is published when the connection ends without DISCONNECT, once [MQTT-3.1.2-7 v5.0] [MQTT-3.1.2-8 v5.0] [MQTT-3.1.2-10 v5.0] [MQTT-3.1.2-8 v3.1.1] [MQTT-3.1.2-10 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const watcher = await watch(test);
      const ways: readonly ((client: TestClient) => void)[] = [
        (client) => client.transport.destroy(),
        (client) => client.transport.listener?.onEnd(),
        (client) => client.sendBytes(packetOf(0x36, 0, 0)),
        () => test.clock.advance(17_000),
        () => void test.connect(version, { clientId: 'c' }),
      ];
      for (const end of ways) {
        for (const options of [{ clientId: 'c' }, kept(version, { clientId: 'c' })]) {
          const client = await test.connect(version, { ...options, will: WILL, keepAliveSec: 10 });
          expect(await watcher.texts()).toEqual([]);
          end(client);
          expect(await watcher.texts()).toEqual(['gone']);
          client.transport.destroy();
          await lose(await test.connect(version, { clientId: 'c' }));
          expect(await watcher.texts()).toEqual([]);
        }
      }
    },
  );

  it.each(BOTH)(
    'is discarded by DISCONNECT, unpublished [MQTT-3.14.4-3] [MQTT-3.1.2-10 v5.0] [MQTT-3.1.2-8 v5.0] [MQTT-3.1.2-10 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const watcher = await watch(test);
      for (const options of [{ clientId: 'c' }, kept(version, { clientId: 'c' })]) {
        const client = await test.connect(version, { ...options, will: WILL });
        client.send({ type: 'disconnect', reasonCode: 0 });
        await lose(client);
        // Gone from the session too: its next connection has none.
        await lose(await test.connect(version, options));
        test.clock.advance(5_000);
        expect(await watcher.texts()).toEqual([]);
      }
    },
  );

  it('is published after DISCONNECT with another code than 0 [MQTT-3.1.2-8 v5.0]', async () => {
    const test = await openBroker();
    const watcher = await watch(test);
    for (const reasonCode of [0x04, 0x80]) {
      const client = await test.connect(5, { clientId: 'c', will: WILL });
      client.send({ type: 'disconnect', reasonCode });
      expect(await watcher.texts()).toEqual(['gone']);
    }
  });

  it.each(BOTH)('is not published where there is none [MQTT-3.1.2-12 v3.1.1] (level %i)', async (version) => {
    const test = await openBroker();
    const watcher = await test.connect(5, { clientId: 'watcher' });
    watcher.send(subscribeOf('#'));
    await watcher.take();
    await lose(await test.connect(version, { clientId: 'c' }));
    expect(await watcher.take()).toEqual([]);
  });

  it.each(BOTH)(
    'is retained where it asks for it, and else not [MQTT-3.1.2-14 v5.0] [MQTT-3.1.2-15 v5.0] [MQTT-3.1.2-16 v3.1.1] [MQTT-3.1.2-17 v3.1.1] (level %i)',
    async (version) => {
      for (const retain of [false, true]) {
        const test = await openBroker();
        const watcher = await watch(test);
        await lose(await test.connect(version, { clientId: 'c', will: { ...WILL, retain } }));
        expect(await watcher.take()).toMatchObject([{ text: 'gone', qos: 1, retain }]);
        const late = await test.connect(5, { clientId: 'late' });
        late.send(subscribeOf('will', 2));
        expect(await late.texts()).toEqual(retain ? ['gone'] : []);
      }
    },
  );

  it('waits for its delay, or the end of the session [MQTT-3.1.2-8 v5.0] [MQTT-3.1.2-7 v5.0]', async () => {
    const test = await openBroker();
    const watcher = await watch(test);
    for (const [willDelayIntervalSec, sessionExpirySec, atSec] of [
      [20, 100, 20],
      [100, 20, 20],
    ] as const) {
      const will = { ...WILL, properties: { willDelayIntervalSec } };
      await lose((await arrive(test, 5, kept(5, { cleanStart: true, will, properties: { sessionExpirySec } }))).client);
      test.clock.advance((atSec - 2) * 1_000);
      expect(await watcher.texts()).toEqual([]);
      test.clock.advance(4_000);
      expect(await watcher.texts()).toEqual(['gone']);
      test.clock.advance(200_000);
      expect(await watcher.texts()).toEqual([]);
    }
    // Without a session that lasts there is nothing to wait in.
    await lose(await test.connect(5, { clientId: 'c', will: { ...WILL, properties: { willDelayIntervalSec: 100 } } }));
    expect(await watcher.texts()).toEqual(['gone']);
  });

  it('is not published when its client is back within the delay [MQTT-3.1.3-9 v5.0] [MQTT-3.1.2-8 v5.0]', async () => {
    const test = await openBroker();
    const watcher = await watch(test);
    const will = { ...WILL, properties: { willDelayIntervalSec: 20 } };
    await lose((await arrive(test, 5, kept(5, { will }))).client);
    test.clock.advance(15_000);
    // It brings another will, which has to wait for the end of this connection.
    const { client, connack } = await arrive(test, 5, kept(5, { will: { ...will, payload: Buffer.from('second') } }));
    expect(connack.sessionPresent).toBe(true);
    test.clock.advance(100_000);
    expect(await watcher.texts()).toEqual([]);
    await lose(client);
    test.clock.advance(30_000);
    expect(await watcher.texts()).toEqual(['second']);
  });

  it('is published when its client is back with a clean start: the session has ended [MQTT-3.1.2-8 v5.0]', async () => {
    const test = await openBroker();
    const watcher = await watch(test);
    const will = { ...WILL, properties: { willDelayIntervalSec: 20 } };
    await lose((await arrive(test, 5, kept(5, { will }))).client);
    test.clock.advance(5_000);
    await arrive(test, 5, kept(5, { cleanStart: true }));
    expect(await watcher.texts()).toEqual(['gone']);
  });

  it('has its properties, and its user properties in their order [MQTT-3.1.3-10 v5.0]', async () => {
    const test = await openBroker();
    const watcher = await watch(test);
    const properties = {
      payloadIsUtf8: true,
      contentType: 'text/plain',
      responseTopic: 'answer',
      correlationData: Uint8Array.of(1, 2),
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '1'],
        ['', ''],
      ],
    } as const;
    await lose(await test.connect(5, { clientId: 'c', will: { ...WILL, properties } }));
    const [got] = await watcher.take();
    expect(got).toMatchObject({ text: 'gone', properties });
  });
});
