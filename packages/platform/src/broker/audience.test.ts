import { expect, test } from 'vitest';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { AudienceListener, Listener } from './audience.ts';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';
import type { OwnMessage } from './own-message.ts';

class Heard implements AudienceListener {
  readonly all: (Pick<Listener, 'clientId' | 'filters' | 'resumed'> | string)[] = [];
  clients: string[] = [];

  wants(filter: string): boolean {
    return filter.startsWith('wanted/');
  }

  listening({ client, clientId, filters, resumed }: Listener): void {
    this.all.push({ clientId, filters, resumed });
    this.clients.push(client);
  }

  gone(client: string): void {
    this.all.push(`gone ${client.split('\0')[1]}`);
  }
}

const message = (text: string, topic = 'wanted/1'): OwnMessage => ({ topic, payload: Buffer.from(text), qos: 1, retain: false });
const keptFor = (clientId: string) => ({ clientId, cleanStart: false, properties: { sessionExpirySec: 100 } });

test('who subscribes to what is wanted is heard of, with those filters alone; and that it has gone, once', async () => {
  const audience = new Heard();
  const { connect } = openTestBroker({ audience });
  const client = await connect(5, { clientId: 'c' });
  client.send(subscribeOf('other/#', 1));
  client.send(subscribeOf('wanted/+', 1), subscribeOf('wanted/2', 1));
  await client.take();
  expect(audience.all).toEqual([
    { clientId: 'c', filters: ['wanted/+'], resumed: false },
    { clientId: 'c', filters: ['wanted/2'], resumed: false },
  ]);
  const silent = await connect(5, { clientId: 'silent' });
  silent.transport.destroy();
  client.transport.destroy();
  await settled();
  expect(audience.all.slice(2)).toEqual(['gone c']);
});

test('one that has unsubscribed from all that is wanted has gone, and is heard of when it subscribes again', async () => {
  const audience = new Heard();
  const { connect } = openTestBroker({ audience });
  const client = await connect(5, { clientId: 'c' });
  client.send(subscribeOf('wanted/1', 1), subscribeOf('wanted/2', 1), subscribeOf('other', 1));
  await client.take();
  const unsubscribe = async (packetId: number, ...filters: string[]) => {
    client.send({ type: 'unsubscribe', packetId, filters });
    await client.take();
    return audience.all.splice(0);
  };
  audience.all.splice(0);
  expect(await unsubscribe(10, 'wanted/1', 'other')).toEqual([]);
  expect(await unsubscribe(11, 'wanted/2')).toEqual(['gone c']);
  client.send(subscribeOf('wanted/3', 1));
  await client.take();
  expect(audience.all).toMatchObject([{ filters: ['wanted/3'] }]);
});

test('one that comes back to a session with such subscriptions is heard of again', async () => {
  const audience = new Heard();
  const { broker, connect } = openTestBroker({ audience, store: new MemorySessionStore() });
  await broker.restore();
  const first = await connect(5, keptFor('c'));
  first.send(subscribeOf('wanted/+', 1), subscribeOf('other', 1));
  await first.take();
  first.transport.destroy();
  await settled();
  await connect(5, keptFor('c'));
  expect(audience.all).toEqual([
    { clientId: 'c', filters: ['wanted/+'], resumed: false },
    'gone c',
    { clientId: 'c', filters: ['wanted/+'], resumed: true },
  ]);
});

test('what is sent to one client goes to no other, at QoS 1, and its acknowledgement is heard once', async () => {
  const audience = new Heard();
  const { broker, connect } = openTestBroker({ audience });
  const one = await connect(5, { clientId: 'one' });
  const other = await connect(5, { clientId: 'other' });
  for (const client of [one, other]) {
    client.send(subscribeOf('wanted/#', 1, {}, 9));
    await client.take();
  }
  const [key = ''] = audience.clients;
  let acknowledged = 0;
  expect(broker.sendTo(key, message('for one'), () => acknowledged++)).toBe(true);
  const [got] = await one.take();
  expect(got).toMatchObject({ type: 'publish', text: 'for one', qos: 1, properties: { subscriptionIdentifiers: [9] } });
  expect([acknowledged, await other.take()]).toEqual([0, []]);
  const packetId = got?.type === 'publish' ? got.packetId : 0;
  for (let i = 0; i < 2; i++) {
    one.send({ type: 'puback', packetId, reasonCode: 0 });
    await settled();
    expect(acknowledged).toBe(1);
  }
  expect(broker.sendTo(key, message('not subscribed', 'elsewhere'))).toBe(false);
  expect(broker.sendTo('nobody', message('x'))).toBe(false);
});

test('at QoS 0 nobody acknowledges: it counts as soon as it is sent', async () => {
  const audience = new Heard();
  const { broker, connect } = openTestBroker({ audience });
  const one = await connect(4, { clientId: 'one' });
  one.send(subscribeOf('wanted/#', 0));
  await one.take();
  let acknowledged = 0;
  broker.sendTo(audience.clients[0] ?? '', message('x'), () => acknowledged++);
  expect([acknowledged, await one.take()]).toMatchObject([1, [{ type: 'publish', qos: 0, text: 'x' }]]);
});

test('what is sent to one client of a lasting session stands in its turn, and is gone with the connection', async () => {
  const audience = new Heard();
  const { broker, connect } = openTestBroker({ audience, store: new MemorySessionStore() });
  await broker.restore();
  const { properties, ...rest } = keptFor('c');
  const kept = { ...rest, properties: { ...properties, receiveMaximum: 1 } };
  const first = await connect(5, kept);
  first.send(subscribeOf('wanted/+', 1));
  await first.take();
  const [key = ''] = audience.clients;
  const acknowledged: string[] = [];
  await broker.publish(message('1'));
  broker.sendTo(key, message('2'), () => acknowledged.push('2'));
  await broker.publish(message('3'));
  broker.sendTo(key, message('4'), () => acknowledged.push('4'));
  const texts: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const [next] = await first.take();
    if (next?.type !== 'publish') throw new Error('nothing came');
    texts.push((next as { text?: string }).text);
    if (i < 2) first.send({ type: 'puback', packetId: next.packetId, reasonCode: 0 });
  }
  expect([texts, acknowledged]).toEqual([['1', '2', '3'], ['2']]);
  first.transport.destroy();
  await settled();
  expect(broker.sendTo(key, message('5'))).toBe(false);
  const second = await connect(5, kept);
  const again = await second.take();
  expect(again).toMatchObject([{ type: 'publish', text: '3' }]);
  second.send({ type: 'puback', packetId: again[0]?.type === 'publish' ? again[0].packetId : 0, reasonCode: 0 });
  expect(await second.take()).toEqual([]);
  expect([acknowledged, broker.counters.queued, broker.counters.queuedBytes]).toEqual([['2'], 0, 0]);
});

test('a client that takes nothing is sent no more than its queue holds, and what waits is forgotten with it', async () => {
  const audience = new Heard();
  const { broker, connect } = openTestBroker({ audience, store: new MemorySessionStore(), limits: { maxQueuedMessages: 3 } });
  await broker.restore();
  const kept = { ...keptFor('c'), properties: { sessionExpirySec: 100, receiveMaximum: 1 } };
  const client = await connect(5, kept);
  client.send(subscribeOf('wanted/+', 1));
  await client.take();
  const sent = [1, 2, 3, 4, 5, 6].map((n) => broker.sendTo(audience.clients[0] ?? '', message(String(n))));
  expect(sent).toEqual([true, true, true, true, false, false]);
  client.transport.destroy();
  await settled();
  expect([broker.counters.queued, broker.counters.queuedBytes]).toEqual([0, 0]);
});

test('a session that has no room for a message of the server does not keep it from others', async () => {
  const { broker, connect } = openTestBroker({ store: new MemorySessionStore(), limits: { maxQueuedMessages: 2 } });
  await broker.restore();
  const gone = await connect(5, keptFor('gone'));
  gone.send(subscribeOf('wanted/#', 1));
  await gone.take();
  gone.transport.destroy();
  const there = await connect(4, { clientId: 'there' });
  there.send(subscribeOf('wanted/+', 1));
  await there.take();
  await settled();
  for (const text of ['1', '2', '3']) broker.announce(message(text));
  const published = broker.publish(message('4'));
  const texts = (await there.take()).map((packet) => (packet.type === 'publish' ? (packet as { text?: string }).text : ''));
  expect([texts, await published]).toEqual([['1', '2', '3', '4'], 0x97]);
  expect([broker.counters.dropped['queue-full'], broker.counters.queued]).toEqual([2, 2]);
});
