import { describe, expect, it } from 'vitest';
import { kept, openRestored, settled, subscribed, subscribeOf, type TestClient } from './broker.fixture.ts';
import { isWide } from './wide-subscriptions.ts';

describe('a subscription to everything', () => {
  it.each([
    ['#', true],
    ['+', true],
    ['+/#', true],
    ['+/+/+', true],
    ['+/a', false],
    ['a/#', false],
    ['$SYS/#', false],
  ])('%s is one: %s', (filter, wide) => expect(isWide(filter)).toBe(wide));

  it('is one of so many, of all clients together', async () => {
    const broker = await openRestored({ limits: { maxWideSubscriptions: 3 } });
    const first = await broker.connect(5, { clientId: 'a' });
    first.send(subscribeOf('#'), subscribeOf('+/#'), subscribeOf('#', 1), subscribeOf('$share/g/#'));
    const second = await broker.connect(5, { clientId: 'b' });
    const old = await broker.connect(4, { clientId: 'c' });
    second.send(subscribeOf('+'), subscribeOf('a/#'));
    old.send(subscribeOf('#'));
    const codes = async (client: TestClient): Promise<unknown[]> =>
      (await client.take()).map((packet) => (packet.type === 'suback' ? packet.reasonCodes[0] : packet.type));
    expect([await codes(first), await codes(second), await codes(old)]).toEqual([[0, 0, 1, 0], [0x97, 0], [0x80]]);
    first.send({ type: 'unsubscribe', packetId: 1, filters: ['+/#'] });
    second.send(subscribeOf('#'));
    expect(await codes(second)).toEqual([0]);
    first.transport.destroy();
    old.send(subscribeOf('#'));
    expect(await codes(old)).toEqual([0]);
  });

  it('at QoS 0 that does not read costs publishers nothing, and memory its share', async () => {
    const broker = await openRestored({ limits: { maxBacklogBytes: 10_000 } });
    const wide = await subscribed(broker, '#', 0, { clientId: 'wide' });
    wide.transport.congested = true;
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 1_000; i++) publisher.publish(`t/${i}`, 'x'.repeat(100), { qos: 1, packetId: i });
    const answers = await publisher.take();
    expect([answers.length, answers.every((packet) => packet.type === 'puback' && packet.reasonCode === 0)]).toEqual([
      1_000,
      true,
    ]);
    expect([wide.transport.backlogBytes < 11_000, publisher.transport.paused]).toEqual([true, false]);
  });

  it.each([['#'], ['$share/g/#']])(
    'of a session that is away (%s) stops publishers for a minute, not for ever',
    async (filter) => {
      const broker = await openRestored({ limits: { maxQueuedMessages: 3, wideFullMs: 60_000 } });
      (await subscribed(broker, filter, 1, kept('wide'))).transport.destroy();
      (await subscribed(broker, 't', 1, kept('narrow'))).transport.destroy();
      const publisher = await broker.connect(5, { clientId: 'p' });
      const publish = async (topic: string): Promise<number> => {
        publisher.publish(topic, 'x', { qos: 1, packetId: 1 });
        await settled();
        const [answer] = await publisher.take();
        return answer?.type === 'puback' ? answer.reasonCode : -1;
      };
      for (let i = 0; i < 3; i++) expect(await publish('other')).toBe(0);
      expect(await publish('other')).toBe(0x97);
      broker.clock.advance(50_000);
      expect(await publish('other')).toBe(0x97);
      broker.clock.advance(12_000);
      expect(await publish('other')).toBe(0x10);
      expect(broker.broker.counters.wideSessionsEnded).toBe(1);
      expect(broker.broker.inspector.find('wide')).toMatchObject([{ closes: [{}, { reason: 'slow-subscriber' }] }]);
      expect((await broker.connect(5, kept('wide'))).connack?.sessionPresent).toBe(false);
      // One that wants a topic of its own is waited for.
      for (let i = 0; i < 3; i++) expect(await publish('t')).toBe(0);
      expect(await publish('t')).toBe(0x97);
      broker.clock.advance(300_000);
      expect(await publish('t')).toBe(0x97);
    },
  );

  it('of a client that is there and acknowledges nothing ends too, and it is told', async () => {
    const broker = await openRestored({ limits: { maxQueuedMessages: 3, wideFullMs: 60_000 } });
    const wide = await subscribed(broker, '#', 1, {
      ...kept('wide'),
      properties: { sessionExpirySec: 1_000, receiveMaximum: 1 },
    });
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 5; i++) publisher.publish('t', `m${i}`, { qos: 1, packetId: i });
    expect((await publisher.take()).at(-1)).toMatchObject({ type: 'puback', reasonCode: 0x97 });
    broker.clock.advance(62_000);
    expect((await wide.take()).at(-1)).toMatchObject({ type: 'disconnect', reasonCode: 0x97 });
    expect([broker.broker.sessions.size, broker.broker.counters.queued]).toEqual([1, 0]);
  });

  it('whose client takes its messages in time is left alone', async () => {
    const broker = await openRestored({ limits: { maxQueuedMessages: 3, wideFullMs: 60_000 } });
    (await subscribed(broker, '#', 1, kept('wide'))).transport.destroy();
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 4; i++) publisher.publish('t', `m${i}`, { qos: 1, packetId: i });
    broker.clock.advance(30_000);
    const back = await broker.connect(5, kept('wide'));
    expect(await back.texts()).toEqual(['m1', 'm2', 'm3']);
    broker.clock.advance(90_000);
    expect([back.transport.ended, broker.broker.counters.wideSessionsEnded]).toEqual([false, 0]);
  });
});
