import { expect, test } from 'vitest';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';

test('a watcher sees what connected clients publish to its topics, at any QoS, and nobody notices it', async () => {
  const seen: string[] = [];
  const ended: string[] = [];
  const { broker, connect } = openTestBroker({
    watcher: {
      filter: 'devices/+/status',
      published: (client, principalId, topic, payload) =>
        void seen.push(`${client.split('\0')[1]} ${principalId} ${topic} ${Buffer.from(payload).toString()}`),
    },
    presence: { presenceChanged: () => undefined, connectionEnded: (client) => void ended.push(client.split('\0')[1] ?? '') },
  });
  const one = await connect(5, { clientId: 'one', username: 'p1' });
  const will = { topic: 'devices/x/status', payload: Buffer.from('offline'), qos: 1, retain: true, properties: {} } as const;
  const two = await connect(5, { clientId: 'two', username: 'p2', will });
  one.send(subscribeOf('devices/#', 1));
  await one.take();
  two.publish('devices/x/status', 'online', { qos: 1, packetId: 1, retain: true });
  two.publish('devices/y/status', 'online');
  two.publish('devices/x/other', 'no');
  expect(await two.take()).toMatchObject([{ type: 'puback', packetId: 1, reasonCode: 0 }]);
  expect(await one.texts()).toEqual(['online', 'online', 'no']);
  await broker.publish({ topic: 'devices/x/status', payload: Buffer.from('of the server'), qos: 1, retain: false });
  expect(seen).toEqual(['two p2 devices/x/status online', 'two p2 devices/y/status online']);
  two.transport.destroy();
  await settled();
  // Its will is published after it has gone: what it had said is over by then.
  expect([seen.length, ended]).toEqual([2, ['two']]);
  expect([broker.retained.count, broker.counters.subscriptions]).toEqual([1, 1]);
});
