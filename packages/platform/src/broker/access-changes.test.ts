import { expect, test } from 'vitest';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { Authorizer, Principal, Refusal } from './authorizer.ts';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';

/** Lets everybody in who is not banned, to the topics that stand in `open` at that time. */
class Rules implements Authorizer {
  open = new Set(['a', 'b', 'telemetry/a']);
  retainable = new Set(['a', 'b']);
  readonly banned = new Set<string>();
  renewals = 0;
  failure: Error | undefined;

  async authenticate({ username }: { readonly username: string | undefined }): Promise<Principal> {
    return this.#principal(username ?? '');
  }

  async renew({ id }: Principal): Promise<Principal | Refusal> {
    this.renewals++;
    if (this.failure !== undefined) throw this.failure;
    return this.banned.has(id) ? { refused: 'not-authorized', reason: 'banned' } : this.#principal(id);
  }

  #principal(id: string): Principal {
    const open = new Set(this.open);
    const retainable = new Set(this.retainable);
    return {
      id,
      sessionNamespace: id,
      mayPublish: (topic) => open.has(topic),
      mayRetain: (topic) => retainable.has(topic),
      maySubscribe: (filter) => open.has(filter),
      mayReceive: (topic) => open.has(topic),
    };
  }
}

async function opened() {
  const rules = new Rules();
  return { rules, ...openTestBroker({ authorizer: rules }) };
}

test('a topic that is closed is refused from then on, on a connection that has used it', async () => {
  const { rules, broker, connect } = await opened();
  const client = await connect(5, { username: 'd' });
  client.publish('a', '1', { qos: 1, packetId: 1 });
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0x10 }]);
  rules.open.delete('a');
  client.publish('a', '2', { qos: 1, packetId: 2 });
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0x10 }]);
  await broker.accessChanged('all');
  client.publish('a', '3', { qos: 1, packetId: 3 });
  client.publish('b', '4', { qos: 1, packetId: 4 });
  expect(await client.take()).toMatchObject([
    { type: 'puback', reasonCode: 0x87 },
    { type: 'puback', reasonCode: 0x10 },
  ]);
});

test('a subscription that is not allowed any more brings nothing, the others go on', async () => {
  const { rules, broker, connect } = await opened();
  const client = await connect(5, { username: 'd' });
  const publisher = await connect(5, { username: 'p' });
  client.send(subscribeOf('a', 1), subscribeOf('b', 1));
  await client.take();
  rules.open.delete('a');
  await broker.accessChanged(new Set(['d']));
  // It is gone, not only silent: it does not come back when the topic is opened again.
  expect(broker.counters.subscriptions).toBe(1);
  publisher.publish('a', 'kept away', { qos: 1, packetId: 1 });
  publisher.publish('b', 'comes', { qos: 1, packetId: 2 });
  await settled();
  expect(await client.texts()).toEqual(['comes']);
});

test('what is opened can be used without a new connection', async () => {
  const { rules, broker, connect } = await opened();
  const client = await connect(5, { username: 'd' });
  client.publish('new', '1', { qos: 1, packetId: 1 });
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0x87 }]);
  rules.open.add('new');
  await broker.accessChanged(new Set(['d']));
  client.publish('new', '2', { qos: 1, packetId: 2 });
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0x10 }]);
});

test('a client that is not let in any more is told so and closed; others stay', async () => {
  const { rules, broker, connect } = await opened();
  const [banned, other] = [await connect(5, { username: 'd' }), await connect(5, { username: 'e' })];
  rules.banned.add('d');
  await broker.accessChanged(new Set(['d']));
  expect(await banned.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x87 }]);
  expect(banned.transport.ended).toBe(true);
  expect([await other.take(), other.transport.ended, rules.renewals]).toEqual([[], false, 1]);
});

test('a client is closed when it cannot be told what it may do', async () => {
  const { rules, broker, connect } = await opened();
  const client = await connect(5, { username: 'd' });
  rules.failure = new Error('the database is away');
  await broker.accessChanged('all');
  expect(client.transport.ended).toBe(true);
});

test('retaining is a right of its own, for a will too', async () => {
  const { rules, connect, broker } = await opened();
  rules.retainable.delete('a');
  const client = await connect(5, { username: 'd' });
  client.publish('a', 'x', { qos: 1, packetId: 1, retain: true });
  client.publish('b', 'x', { qos: 1, packetId: 2, retain: true });
  client.publish('a', 'x', { qos: 1, packetId: 3 });
  expect(await client.take()).toMatchObject([{ reasonCode: 0x87 }, { reasonCode: 0x10 }, { reasonCode: 0x10 }]);
  expect(broker.retained.count).toBe(1);
  const will = { topic: 'a', payload: Buffer.from('gone'), qos: 1 as const, retain: true, properties: {} };
  await expect(connect(5, { clientId: 'w', username: 'w', will })).rejects.toThrow('135');
  await connect(5, { clientId: 'w', username: 'w', will: { ...will, retain: false } });
});

test('a will where its client may not publish any more is not published', async () => {
  const { rules, connect, broker } = await opened();
  const watcher = await connect(5, { username: 'w' });
  watcher.send(subscribeOf('a', 1), subscribeOf('b', 1));
  await watcher.take();
  const willOf = (topic: string) => ({ topic, payload: Buffer.from(topic), qos: 1 as const, retain: false, properties: {} });
  const first = await connect(5, { clientId: '1', username: 'one', will: willOf('a') });
  const second = await connect(5, { clientId: '2', username: 'two', will: willOf('b') });
  rules.open.delete('a');
  await broker.accessChanged(new Set(['one', 'two']));
  rules.open.add('a');
  for (const client of [first, second]) client.transport.destroy();
  expect(await watcher.texts()).toEqual(['b']);
});

test('what waits for a client is not sent once it may not receive it any more: after its return', async () => {
  const rules = new Rules();
  const { broker, connect } = openTestBroker({ authorizer: rules, store: new MemorySessionStore() });
  await broker.restore();
  const publisher = await connect(5, { username: 'p' });
  const kept = { clientId: 'c', username: 'd', cleanStart: false, properties: { sessionExpirySec: 100 } };
  const first = await connect(5, kept);
  first.send(subscribeOf('a', 1), subscribeOf('b', 2));
  await first.take();
  first.transport.destroy();
  publisher.publish('a', 'before', { qos: 1, packetId: 1 });
  publisher.publish('b', 'other', { qos: 2, packetId: 2 });
  await settled();
  rules.open.delete('a');
  await broker.accessChanged('all');
  rules.open.add('a');
  const second = await connect(5, { ...kept, clientId: 'p2', username: 'p' });
  rules.open.delete('a');
  second.publish('a', 'after', { qos: 1, packetId: 3 });
  await settled();
  expect(await (await connect(5, kept)).texts()).toEqual(['other']);
  rules.open.add('a');
  expect(await (await connect(5, kept)).texts()).toEqual(['other']);
});

test.each([0, 100])(
  'what waits for a connected client is not sent once it may not receive it any more: session expiry %i s',
  async (sessionExpirySec) => {
    const rules = new Rules();
    const { broker, connect } = openTestBroker({ authorizer: rules, store: new MemorySessionStore() });
    await broker.restore();
    const publisher = await connect(5, { username: 'p' });
    const client = await connect(5, { clientId: 'c', username: 'd', properties: { sessionExpirySec, receiveMaximum: 1 } });
    client.send(subscribeOf('a', 1), subscribeOf('b', 1));
    await client.take();
    for (const [index, text] of ['sent', 'waits', 'waits too'].entries())
      publisher.publish('a', text, { qos: 1, packetId: index + 1 });
    publisher.publish('b', 'other', { qos: 1, packetId: 9 });
    const [sent] = await client.take();
    expect(sent).toMatchObject({ type: 'publish', text: 'sent' });
    rules.open.delete('a');
    await broker.accessChanged(new Set(['d']));
    client.send({ type: 'puback', packetId: (sent as { packetId: number }).packetId, reasonCode: 0 });
    expect(await client.texts()).toEqual(['other']);
  },
);

test('what waits of a shared group for a client that may not receive it any more goes to another member', async () => {
  const { rules, broker, connect } = await opened();
  rules.open.add('$share/g/a');
  const publisher = await connect(5, { username: 'p' });
  const client = await connect(5, { clientId: 'c', username: 'd', properties: { receiveMaximum: 1 } });
  client.send(subscribeOf('$share/g/a', 1));
  await client.take();
  publisher.publish('a', 'sent', { qos: 1, packetId: 1 });
  publisher.publish('a', 'waits', { qos: 1, packetId: 2 });
  expect(await client.texts()).toEqual(['sent']);
  const other = await connect(5, { clientId: 'o', username: 'e' });
  other.send(subscribeOf('$share/g/a', 1));
  await other.take();
  rules.open.delete('a');
  await broker.accessChanged(new Set(['d']));
  expect(await other.texts()).toEqual(['waits']);
});

test('ending the sessions of a device takes what waits for it, connected or not', async () => {
  const { connect, broker } = await opened();
  const client = await connect(5, { username: 'd' });
  broker.endSessionsOf('d');
  expect(await client.take()).toMatchObject([{ type: 'disconnect' }]);
  expect(broker.sessions.size).toBe(0);
});
