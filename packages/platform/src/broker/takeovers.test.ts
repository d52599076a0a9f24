import { expect, test } from 'vitest';
import type { Authorizer } from './authorizer.ts';
import { openTestBroker } from './broker.fixture.ts';
import { Takeovers } from './takeovers.ts';

const client = (key: string) => ({ key, clientId: `c-${key}`, principal: { id: `p-${key}` } });
const HOUR_MS = 3_600_000;

test('takeovers of a client are counted while they come again within a day', () => {
  const takeovers = new Takeovers();
  for (let hour = 0; hour < 50; hour += 10) takeovers.add(client('a'), hour * HOUR_MS);
  takeovers.add(client('b'), 0);
  takeovers.add(client('b'), 30 * HOUR_MS);
  expect(takeovers.atLeast(3, 50 * HOUR_MS)).toEqual([
    { clientId: 'c-a', principalId: 'p-a', count: 5, firstAtMs: 0, lastAtMs: 40 * HOUR_MS },
  ]);
  expect(takeovers.atLeast(1, 50 * HOUR_MS).map(({ clientId, count }) => [clientId, count])).toEqual([
    ['c-a', 5],
    ['c-b', 1],
  ]);
  expect(takeovers.atLeast(1, 80 * HOUR_MS)).toEqual([]);
});

test('the clients that are counted are bounded, those taken over longest ago go first', () => {
  const takeovers = new Takeovers();
  for (let i = 0; i < 10_500; i++) takeovers.add(client(String(i)), i);
  takeovers.add(client('600'), 20_000);
  expect(takeovers.atLeast(1, 20_000)).toHaveLength(10_000);
  expect(takeovers.atLeast(2, 20_000).map(({ clientId }) => clientId)).toEqual(['c-600']);
});

test('a broker tells whose id is fought for, and with which certificates its clients came', async () => {
  const authorizer: Authorizer = {
    authenticate: async ({ username }) => ({
      id: 'd1',
      sessionNamespace: 'd1',
      credentialId: username,
      mayPublish: () => true,
      maySubscribe: () => true,
      mayReceive: () => true,
    }),
  };
  const { broker, connect, clock } = openTestBroker({ authorizer });
  for (let i = 0; i < 4; i++) await connect(5, { clientId: 'same', username: 'cert-1' });
  await connect(5, { clientId: 'other', username: 'cert-1' });
  await connect(5, { clientId: 'plain' });
  expect(broker.inspector.takenOver(3, clock.now())).toMatchObject([{ clientId: 'same', principalId: 'd1', count: 3 }]);
  expect(broker.inspector.credentialUses().map(({ credentialId, clientId }) => [credentialId, clientId])).toEqual([
    ['cert-1', 'same'],
    ['cert-1', 'other'],
  ]);
});
