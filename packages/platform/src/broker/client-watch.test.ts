import { describe, expect, it } from 'vitest';
import { openTestBroker, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';
import { Tracing, type TraceEvent } from './trace.ts';

type Event = Record<string, unknown>;

async function watcher({ connect }: TestBroker, filter: string): Promise<TestClient> {
  const client = await connect(5, { clientId: 'watcher' });
  client.send(subscribeOf(filter, 1));
  await client.take();
  return client;
}

async function events(client: TestClient): Promise<Event[]> {
  return (await client.texts()).map((text) => JSON.parse(text) as Event);
}

describe('what a broker tells of its clients', () => {
  it('is who comes and goes, with one session identifier and version for each connection', async () => {
    const opened = openTestBroker();
    const { connect, clock } = opened;
    const watching = await watcher(opened, '$aws/events/presence/+/d1');
    const first = await connect(5, { clientId: 'd1', username: 'device' });
    const second = await connect(5, { clientId: 'd1', username: 'device' });
    clock.advance(10_000);
    second.send({ type: 'disconnect', reasonCode: 0 });
    second.transport.destroy();
    first.transport.destroy();
    await connect(5, { clientId: 'd2' });
    const got = await events(watching);
    expect(got.map(({ eventType, disconnectReason, timestamp }) => [eventType, disconnectReason, timestamp])).toEqual([
      ['connected', undefined, 1_700_000_000_000],
      ['disconnected', 'DUPLICATE_CLIENTID', 1_700_000_000_000],
      ['connected', undefined, 1_700_000_000_000],
      ['disconnected', 'CLIENT_INITIATED_DISCONNECT', 1_700_000_010_000],
    ]);
    const [came, went, cameAgain, wentAgain] = got as [Event, Event, Event, Event];
    expect(came['sessionIdentifier']).toBe(went['sessionIdentifier']);
    expect(cameAgain['sessionIdentifier']).toBe(wentAgain['sessionIdentifier']);
    expect(came['sessionIdentifier']).not.toBe(cameAgain['sessionIdentifier']);
    expect(Number(cameAgain['versionNumber'])).toBeGreaterThan(Number(came['versionNumber']));
  });

  it('is what they subscribe to, as far as it was granted', async () => {
    const opened = openTestBroker();
    const watching = await watcher(opened, '$aws/events/subscriptions/#');
    await events(watching);
    const client = await opened.connect(5, { clientId: 'd1' });
    const subscription = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    client.send(
      { type: 'subscribe', packetId: 1, subscriptions: ['a', 'secret', 'b'].map((filter) => ({ filter, ...subscription })) },
      { type: 'unsubscribe', packetId: 2, filters: ['never', 'b'] },
      subscribeOf('secret'),
    );
    await client.take();
    expect((await events(watching)).map(({ eventType, topics }) => [eventType, topics])).toEqual([
      ['subscribed', ['a', 'b']],
      ['unsubscribed', ['b']],
    ]);
  });

  it('is nothing of clients that were never let in', async () => {
    const opened = openTestBroker();
    const watching = await watcher(opened, '$aws/events/#');
    await events(watching);
    await expect(
      opened.connect(5, { clientId: '', cleanStart: true, keepAliveSec: 0, properties: { maxPacketBytes: 5 } }),
    ).rejects.toThrow();
    await settled();
    expect(await events(watching)).toEqual([]);
  });

  it('is traced packet by packet while a trace is on, with the topics behind aliases, both ways', async () => {
    const opened = openTestBroker();
    const { broker, clock, connect } = opened;
    const client = await connect(5, { clientId: 'd1', properties: { topicAliasMaximum: 5 } });
    client.send(subscribeOf('a/long/topic', 1));
    client.publish('a/long/topic', 'x', { properties: { topicAlias: 2 } });
    client.publish('a/long/topic', 'x');
    await client.take();
    const seen: TraceEvent[] = [];
    broker.tracing = new Tracing({ clock, thread: 'gateway-0' });
    broker.tracing.start(1, { clientId: 'd1', topicFilter: undefined, payload: false }, (batch) => seen.push(...batch.events));
    client.publish('', 'x', { qos: 1, properties: { topicAlias: 2 } });
    client.send({ type: 'pingreq' }, { type: 'disconnect', reasonCode: 0 });
    await settled();
    clock.advance(50);
    expect(seen.map(({ direction, packet, topic, note }) => [direction, packet, topic ?? note].join(' ').trim())).toEqual([
      'in publish a/long/topic',
      'out publish a/long/topic',
      'out puback',
      'in pingreq',
      'out pingresp',
      'in disconnect',
      'end closed client-disconnect',
    ]);
    expect(seen.every(({ clientId }) => clientId === 'd1')).toBe(true);
  });
});
