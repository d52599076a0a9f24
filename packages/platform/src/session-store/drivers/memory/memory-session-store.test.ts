import { expect, test } from 'vitest';
import { SelsynError } from '../../../kernel/errors.ts';
import { OwnerModel, actionsOf } from '../../owner-model.ts';
import { sessionStoreContract } from '../../session-store.contract.ts';
import { MemorySessionStore } from './memory-session-store.ts';

sessionStoreContract('memory', async (options) => {
  const stores = [new MemorySessionStore(options?.isTight === true ? { maxPending: 100 } : {})];
  return {
    store: stores[0]!,
    crash: async () => {
      const next = stores.at(-1)!.reopen();
      stores.push(next);
      return next;
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of stores) await store[Symbol.asyncDispose]();
    },
  };
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('settles nothing while it is held, and keeps only what was settled over a crash', async () => {
  const store = new MemorySessionStore();
  const owner = new OwnerModel();
  await store.open(owner);
  store.write(owner.retain('t', 'durable'));
  await turn();
  store.hold();
  store.write(owner.retain('t', 'not durable'));
  await turn();
  expect(owner.settledUpTo).toBe(1);
  const next = new OwnerModel();
  await store.reopen().open(next);
  expect(next.retained('t')).toBe('durable');
});

test('settles what was held back when it is let go', async () => {
  const store = new MemorySessionStore();
  const owner = new OwnerModel();
  await store.open(owner);
  store.hold();
  store.write(owner.retain('t', 'x'));
  await turn();
  store.letGo();
  await turn();
  expect(owner.events).toEqual([{ durable: 1 }]);
  expect(store.durable()).toMatchObject([{ kind: 'retained', topic: 't' }]);
});

test('rejects, and comes to agree with its owner by a snapshot when it may write again', async () => {
  const store = new MemorySessionStore();
  const owner = new OwnerModel();
  await store.open(owner);
  const actions = actionsOf(1).take(200).toArray();
  let ticket = 0;
  for (const [i, action] of actions.entries()) {
    if (i === 100) store.rejectWith(new SelsynError('log.full', 'no space', { retryable: true }));
    const change = owner.act(action);
    if (change !== undefined) ticket = store.write(change);
    await turn();
  }
  expect(owner.events.at(-1)).toMatchObject({ rejected: ticket, error: { code: 'log.full' } });
  store.rejectWith(undefined);
  await turn();
  const next = new OwnerModel();
  await store.reopen().open(next);
  expect(next.text()).toBe(owner.text());
});
