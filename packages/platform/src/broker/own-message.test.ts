import { expect, test } from 'vitest';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';
import type { OwnMessage } from './own-message.ts';

const message = (topic: string): OwnMessage => ({ topic, payload: Buffer.from('x'), qos: 1, retain: false });

test.each([
  ['a wildcard', 'a/#'],
  ['U+0000', 'a/\0'],
  ['more than 65,535 bytes', `a/${'x'.repeat(65_534)}`],
])('a topic with %s is sent to nobody, and ends nothing', async (_what, topic) => {
  let key = '';
  const audience = {
    wants: () => true,
    listening: (listener: { client: string }) => void (key = listener.client),
    gone: () => undefined,
  };
  const { broker, connect } = openTestBroker({ audience });
  const client = await connect(5, { clientId: 'c' });
  client.send(subscribeOf('#', 1));
  await client.take();
  broker.announce(message(topic));
  expect(broker.sendTo(key, message(topic))).toBe(false);
  expect(await broker.publish(message(topic))).toBe(0x90);
  broker.announce(message('a/b'));
  await settled();
  expect(await client.take()).toMatchObject([{ type: 'publish', topic: 'a/b' }]);
});
