import { openTestBroker, subscribeOf, type TestBroker, type TestClient } from '@selsyn/platform/broker/broker.fixture.ts';
import { MemorySessionStore } from '@selsyn/platform/session-store/drivers/memory/memory-session-store.ts';
import { describe, expect, it } from 'vitest';

const YEAR_MS = 365 * 86_400_000;

async function openBroker(): Promise<TestBroker> {
  const opened = openTestBroker({ store: new MemorySessionStore() });
  await opened.broker.restore();
  return opened;
}

/** Lets time pass in small pieces, and steps the wall clock between them as `steps` says. */
function pass(broker: TestBroker, ms: number, stepMs: number): void {
  broker.clock.advance(ms / 2);
  broker.clock.step(stepMs);
  broker.clock.advance(ms / 2);
}

const persistent = (clientId: string): object => ({ clientId, cleanStart: false, properties: { sessionExpirySec: 100 } });

async function subscriber(broker: TestBroker, clientId: string, filter: string): Promise<TestClient> {
  const client = await broker.connect(5, persistent(clientId));
  client.send(subscribeOf(filter, 1));
  await client.take();
  return client;
}

for (const [name, stepMs] of [
  ['a year forward', YEAR_MS],
  ['a year back', -YEAR_MS],
] as const) {
  describe(`a wall clock that steps ${name}`, () => {
    it('moves no session expiry', async () => {
      const broker = await openBroker();
      (await broker.connect(5, persistent('kept'))).transport.destroy();
      pass(broker, 90_000, stepMs);
      const back = await broker.connect(5, persistent('kept'));
      expect(back.connack?.sessionPresent).toBe(true);
      back.transport.destroy();
      pass(broker, 103_000, stepMs);
      expect((await broker.connect(5, persistent('kept'))).connack?.sessionPresent).toBe(false);
    });

    it('moves no expiry of a queued or a retained message, and what is left of it is told rightly', async () => {
      const broker = await openBroker();
      (await subscriber(broker, 'offline', 'queued/+')).transport.destroy();
      const publisher = await broker.connect(5, { clientId: 'publisher' });
      for (const root of ['queued', 'retained']) {
        for (const [text, messageExpirySec] of [
          ['short', 40],
          ['long', 90],
        ] as const) {
          publisher.publish(`${root}/${text}`, text, { qos: 1, retain: root === 'retained', properties: { messageExpirySec } });
          await publisher.take();
        }
      }
      pass(broker, 60_000, stepMs);
      const back = await broker.connect(5, persistent('offline'));
      back.send(subscribeOf('retained/#', 1));
      const got = (await back.take()).filter((packet) => packet.type === 'publish');
      expect(got).toMatchObject([
        { topic: 'queued/long', properties: { messageExpirySec: 30 } },
        { topic: 'retained/long', properties: { messageExpirySec: 30 } },
      ]);
    });

    it('moves no will delay', async () => {
      const broker = await openBroker();
      const watcher = await subscriber(broker, 'watcher', 'wills');
      const will = {
        topic: 'wills',
        payload: Buffer.from('gone'),
        qos: 1,
        retain: false,
        properties: { willDelayIntervalSec: 50 },
      };
      (await broker.connect(5, { ...persistent('mortal'), will: { ...will, qos: 1 } })).transport.destroy();
      pass(broker, 46_000, stepMs);
      expect(await watcher.texts()).toEqual([]);
      broker.clock.advance(6_000);
      expect(await watcher.texts()).toEqual(['gone']);
    });

    it('moves no keep-alive', async () => {
      const broker = await openBroker();
      const client = await broker.connect(5, { clientId: 'alive', keepAliveSec: 10 });
      pass(broker, 12_000, stepMs);
      client.send({ type: 'pingreq' });
      expect(await client.take()).toEqual([{ type: 'pingresp' }]);
      pass(broker, 13_000, stepMs);
      expect(client.transport.ended).toBe(false);
      broker.clock.advance(4_000);
      expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8d }]);
    });

    it('changes nothing about who takes over whom', async () => {
      const broker = await openBroker();
      const first = await broker.connect(5, persistent('one'));
      broker.clock.step(stepMs);
      const second = await broker.connect(5, persistent('one'));
      expect(await first.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8e }]);
      second.send({ type: 'pingreq' });
      expect(await second.take()).toEqual([{ type: 'pingresp' }]);
    });
  });
}
