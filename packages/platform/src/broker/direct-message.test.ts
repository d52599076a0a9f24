import { expect, it } from 'vitest';
import type { Principal } from './authorizer.ts';
import { openTestBroker, settled } from './broker.fixture.ts';
import type { DirectMessage } from './direct-message.ts';

const PRINCIPAL: Principal = {
  id: 'd1',
  sessionNamespace: 'd1',
  mayPublish: () => true,
  maySubscribe: () => true,
  mayReceive: (topic) => topic !== 'forbidden',
};

function direct(qos: 0 | 1, more: Partial<DirectMessage> = {}, topic = 'now'): DirectMessage {
  const message = { topic, payload: Buffer.from('x'), qos, retain: false } as const;
  return { clientId: 'c', principals: undefined, message, timeoutMs: 1_000, ...more };
}

async function open() {
  const test = openTestBroker({ authorizer: { authenticate: async () => PRINCIPAL } });
  const client = await test.connect(5, { clientId: 'c' });
  await client.take();
  return { ...test, client };
}

it('reaches its client, which subscribes to nothing', async () => {
  const { broker, client } = await open();
  expect(await broker.sendDirect(direct(0))).toBe('sent');
  expect(await client.take()).toMatchObject([{ type: 'publish', topic: 'now', text: 'x', qos: 0 }]);
});

it('at QoS 1 is done when its client has acknowledged it', async () => {
  const { broker, client } = await open();
  let outcome: string | undefined;
  const sending = broker.sendDirect(direct(1)).then((done) => (outcome = done));
  const [got] = await client.take();
  expect(outcome).toBeUndefined();
  const packetId = got?.type === 'publish' ? got.packetId : 0;
  client.send({ type: 'puback', packetId, reasonCode: 0 });
  await sending;
  expect(outcome).toBe('sent');
});

it('is unconfirmed when no acknowledgement comes in time', async () => {
  const { broker, client, clock } = await open();
  const sending = broker.sendDirect(direct(1, { timeoutMs: 5_000 }));
  await settled();
  clock.advance(5_000);
  expect(await sending).toBe('unconfirmed');
  expect(await client.take()).toHaveLength(1);
});

it('goes to nobody who is not there, is somebody else, or may not receive it', async () => {
  const { broker, client } = await open();
  expect(await broker.sendDirect(direct(1, { clientId: 'other' }))).toBe('no-client');
  expect(await broker.sendDirect(direct(1, { principals: ['d2'] }))).toBe('no-client');
  expect(await broker.sendDirect(direct(1, { principals: ['d1'] }, 'forbidden'))).toBe('not-allowed');
  expect(await client.take()).toEqual([]);
});
