import { expect, test } from 'vitest';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';
import type { ClientRequest, RequestAnswer, RequestHandler } from './requests.ts';

/** Answers `ask/…` when the test says so. */
class Answerer implements RequestHandler {
  readonly asked: { readonly request: ClientRequest; answer(...answers: RequestAnswer[]): void; fail(): void }[] = [];

  handles(topic: string): boolean {
    return topic.startsWith('ask/');
  }

  async answer(request: ClientRequest): Promise<readonly RequestAnswer[]> {
    return await new Promise((resolve, reject) => {
      this.asked.push({ request, answer: (...answers) => resolve(answers), fail: () => reject(new Error('the test says so')) });
    });
  }
}

const answerOf = (topic: string, text: string): RequestAnswer => ({ topic, payload: Buffer.from(text) });

test('the answer goes to the client that asked, not to others that subscribe to the same topic', async () => {
  const requests = new Answerer();
  const { connect } = openTestBroker({ requests });
  const asker = await connect(5, { clientId: 'asker', username: 'one' });
  const other = await connect(5, { clientId: 'other', username: 'two' });
  for (const client of [asker, other]) client.send(subscribeOf('ask/#', 1));
  await settled();
  await Promise.all([asker.take(), other.take()]);

  asker.publish('ask/key', 'please', { qos: 1, packetId: 5 });
  expect(await asker.take()).toEqual([]);
  const [asked] = requests.asked;
  expect(asked!.request).toMatchObject({ clientId: 'asker', topic: 'ask/key', principal: { id: 'one' } });
  expect(Buffer.from(asked!.request.payload).toString()).toBe('please');
  asked!.answer(answerOf('ask/key/accepted', 'secret'), answerOf('elsewhere', 'not subscribed'));
  expect(await asker.take()).toMatchObject([
    { type: 'publish', topic: 'ask/key/accepted', text: 'secret', qos: 1 },
    { type: 'puback', packetId: 5, reasonCode: 0 },
  ]);
  expect(await other.take()).toEqual([]);
});

test('the answer has the QoS and the identifiers of what the client subscribed to; shared groups get none', async () => {
  const requests = new Answerer();
  const { connect } = openTestBroker({ requests });
  const client = await connect(5);
  client.send(subscribeOf('ask/+/accepted', 0, {}, 7), subscribeOf('$share/g/ask/#', 1));
  await client.take();
  client.publish('ask/a', 'x');
  await settled();
  requests.asked[0]!.answer(answerOf('ask/a/accepted', 'y'));
  expect(await client.take()).toMatchObject([
    { type: 'publish', text: 'y', qos: 0, properties: { subscriptionIdentifiers: [7] } },
  ]);
});

test('requests of all QoS are answered in their order, and acknowledged in their order', async () => {
  const requests = new Answerer();
  const { connect, intake } = openTestBroker({ requests });
  const client = await connect(4);
  client.send(subscribeOf('ask/#', 1));
  await client.take();
  client.publish('ask/1', '1', { qos: 1, packetId: 1 });
  client.publish('ask/2', '2', { qos: 2, packetId: 2 });
  client.publish('telemetry/x', '3', { qos: 1, packetId: 3 });
  await settled();
  requests.asked[1]!.answer(answerOf('ask/2/accepted', 'second'));
  expect(await client.texts()).toEqual(['second']);
  requests.asked[0]!.answer(answerOf('ask/1/accepted', 'first'));
  expect(await client.take()).toMatchObject([
    { type: 'publish', text: 'first' },
    { type: 'puback', packetId: 1 },
    { type: 'pubrec', packetId: 2 },
  ]);
  intake.settle();
  expect(await client.take()).toMatchObject([{ type: 'puback', packetId: 3 }]);
  // Sent again before its PUBREL it is not asked again.
  client.publish('ask/2', '2', { qos: 2, packetId: 2, dup: true });
  expect(await client.take()).toMatchObject([{ type: 'pubrec', packetId: 2 }]);
  expect(requests.asked).toHaveLength(2);
});

test('nobody gets the answer when the client has gone, also when it came back meanwhile', async () => {
  const requests = new Answerer();
  const store = new MemorySessionStore();
  const { broker, connect } = openTestBroker({ requests, store });
  await broker.restore();
  const kept = { clientId: 'c', cleanStart: false, properties: { sessionExpirySec: 100 } };
  const first = await connect(5, kept);
  first.send(subscribeOf('ask/#', 1));
  await first.take();
  first.publish('ask/key', 'x', { qos: 1, packetId: 1 });
  await settled();
  first.transport.destroy();
  const second = await connect(5, kept);
  requests.asked[0]!.answer(answerOf('ask/key/accepted', 'for the first connection'));
  expect(await second.take()).toEqual([]);
  second.publish('ask/key', 'x', { qos: 1, packetId: 1, dup: true });
  await settled();
  requests.asked[1]!.answer(answerOf('ask/key/accepted', 'again'));
  expect(await second.texts()).toEqual(['again']);
});

test('a request at QoS 2 that was answered while its client was away is acknowledged when it is sent again; only what was not taken is asked again', async () => {
  const requests = new Answerer();
  const { broker, connect } = openTestBroker({ requests, store: new MemorySessionStore() });
  await broker.restore();
  const kept = { clientId: 'c', cleanStart: false, properties: { sessionExpirySec: 100 } };
  const first = await connect(5, kept);
  for (const packetId of [7, 8]) first.publish('ask/x', 'x', { qos: 2, packetId });
  await settled();
  first.transport.destroy();
  await settled();
  requests.asked[0]!.answer();
  requests.asked[1]!.fail();
  await settled();
  const second = await connect(5, kept);
  for (const packetId of [7, 8]) second.publish('ask/x', 'x', { qos: 2, packetId, dup: true });
  expect(await second.take()).toMatchObject([{ type: 'pubrec', packetId: 7, reasonCode: 0 }]);
  second.send({ type: 'pubrel', packetId: 7, reasonCode: 0 });
  expect(await second.take()).toMatchObject([{ type: 'pubcomp', packetId: 7 }]);
  expect(requests.asked).toHaveLength(3);
  requests.asked[2]!.answer();
  expect(await second.take()).toMatchObject([{ type: 'pubrec', packetId: 8, reasonCode: 0 }]);
});

test('what is not taken is acknowledged so; a client of 3.1.1, which cannot be told, is disconnected', async () => {
  const requests = new Answerer();
  const { connect } = openTestBroker({ requests });
  const five = await connect(5, { clientId: 'five' });
  const four = await connect(4, { clientId: 'four' });
  for (const client of [five, four]) client.publish('ask/x', 'x', { qos: 1, packetId: 3 });
  await settled();
  for (const { fail } of requests.asked) fail();
  expect(await five.take()).toMatchObject([{ type: 'puback', packetId: 3, reasonCode: 0x97 }]);
  expect([await four.take(), four.transport.destroyed || four.transport.ended]).toEqual([[], true]);
});

test('an answer is not stored, nor kept for another connection: it may hold a private key', async () => {
  const requests = new Answerer();
  const store = new MemorySessionStore();
  const { broker, connect } = openTestBroker({ requests, store });
  await broker.restore();
  const kept = { clientId: 'c', cleanStart: false, properties: { sessionExpirySec: 100 } };
  const first = await connect(5, kept);
  first.send(subscribeOf('ask/#', 1));
  await first.take();
  first.publish('ask/key', 'x', { qos: 1, packetId: 1 });
  await settled();
  requests.asked[0]!.answer(answerOf('ask/key/accepted', 'a private key'));
  expect(await first.take()).toMatchObject([
    { type: 'publish', text: 'a private key', qos: 1 },
    { type: 'puback', packetId: 1, reasonCode: 0 },
  ]);
  first.transport.destroy();
  expect(await (await connect(5, kept)).take()).toEqual([]);
});

test('a client whose sessions are not kept is told so, and nothing of it is stored', async () => {
  const store = new MemorySessionStore();
  const { broker, connect } = openTestBroker({
    requests: new Answerer(),
    store,
    authorizer: {
      authenticate: async () => ({
        id: 'claim',
        sessionNamespace: 'claim',
        maxSessionExpirySec: 0,
        mayPublish: () => true,
        maySubscribe: () => true,
        mayReceive: () => true,
      }),
    },
  });
  await broker.restore();
  for (const version of [4, 5] as const) {
    const client = await connect(version, {
      clientId: 'unit',
      cleanStart: false,
      properties: version === 5 ? { sessionExpirySec: 100 } : {},
    });
    expect(client.connack?.properties.sessionExpirySec).toBe(version === 5 ? 0 : undefined);
    client.transport.destroy();
    expect(broker.sessions.size).toBe(0);
  }
});

test('a handler that fails is acknowledged all the same, and hurts nobody', async () => {
  const requests = new Answerer();
  const { connect } = openTestBroker({ requests });
  const client = await connect(5);
  client.publish('ask/a', 'x', { qos: 1, packetId: 1 });
  await settled();
  requests.asked[0]!.fail();
  expect(await client.take()).toMatchObject([{ type: 'puback', packetId: 1 }]);
});

test('who may not publish to a topic asks nothing', async () => {
  const requests = new Answerer();
  const { connect } = openTestBroker({ requests });
  const client = await connect(5);
  client.publish('ask/secret', 'x', { qos: 1, packetId: 1 });
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0x87 }]);
  expect(requests.asked).toEqual([]);
});

test('a retained request is answered, and nothing is retained', async () => {
  const requests = new Answerer();
  const { broker, connect } = openTestBroker({ requests });
  const client = await connect(5);
  client.publish('ask/a', 'x', { qos: 1, packetId: 1, retain: true });
  await settled();
  requests.asked[0]!.answer();
  expect(await client.take()).toMatchObject([{ type: 'puback', reasonCode: 0 }]);
  expect(broker.retained.count).toBe(0);
});

test('a will to a topic of requests is a request, and comes to no subscriber', async () => {
  const requests = new Answerer();
  const { broker, connect } = openTestBroker({ requests });
  const other = await connect(5, { clientId: 'other', username: 'two' });
  other.send(subscribeOf('ask/#', 1));
  await other.take();
  const will = { topic: 'ask/a', payload: Buffer.from('last'), qos: 1, retain: true, properties: {} } as const;
  const client = await connect(5, { clientId: 'asker', username: 'one', will });
  client.transport.destroy();
  await settled();
  const [asked] = requests.asked;
  expect(asked!.request).toMatchObject({ clientId: 'asker', topic: 'ask/a', principal: { id: 'one' } });
  asked!.answer(answerOf('ask/a/accepted', 'nobody hears it'));
  expect(await other.take()).toEqual([]);
  expect(broker.retained.count).toBe(0);
});
