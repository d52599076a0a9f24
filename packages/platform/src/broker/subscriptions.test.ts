import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import type { Subscriber } from './subscriber.ts';
import { Subscriptions } from './subscriptions.ts';

const OPTIONS = { qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
const TOPIC = new Topic('a/b', Buffer.from('a/b'));

function subscriber(key: string, plain = true, denied?: string): Subscriber {
  return { key, reach: 'session', plain, mayReceive: (topic) => topic !== denied, hasRoom: () => true, deliver: () => {} };
}

describe('subscriptions', () => {
  it('answer a topic from the cache until something changes', () => {
    const subscriptions = new Subscriptions();
    const [s, t] = [subscriber('s'), subscriber('t')];
    const keys = (): readonly string[] =>
      subscriptions
        .match(TOPIC)
        .list.map(({ subscriber: { key } }) => key)
        .toSorted();
    subscriptions.set('a/+', s, OPTIONS);
    const first = subscriptions.match(TOPIC);
    expect(subscriptions.match(TOPIC)).toBe(first);
    subscriptions.set('#', t, OPTIONS);
    expect(keys()).toEqual(['s', 't']);
    subscriptions.delete('a/+', s);
    expect(keys()).toEqual(['t']);
    expect(first.list.map(({ subscriber: { key } }) => key)).toEqual(['s']);
  });

  it('say when there is one that needs more than to be sent to', () => {
    const subscriptions = new Subscriptions();
    expect(subscriptions.match(TOPIC)).toEqual({ list: [], plain: true });
    subscriptions.set('#', subscriber('s'), OPTIONS);
    expect(subscriptions.match(TOPIC).plain).toBe(true);
    subscriptions.set('#', subscriber('t', false), OPTIONS);
    expect(subscriptions.match(TOPIC).plain).toBe(false);
  });

  it('leave out who may not see the topic, whatever the filter', () => {
    const subscriptions = new Subscriptions();
    subscriptions.set('#', subscriber('s', true, 'a/b'), OPTIONS);
    expect(subscriptions.match(TOPIC).list).toEqual([]);
    expect(subscriptions.match(new Topic('a/c', Buffer.from('a/c'))).list.length).toBe(1);
  });

  it('stay right when more topics are asked for than are cached', () => {
    const subscriptions = new Subscriptions(2);
    subscriptions.set('t/+', subscriber('s'), OPTIONS);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5; i++) expect(subscriptions.match(new Topic(`t/${i}`, Buffer.from(`t/${i}`))).list.length).toBe(1);
    }
  });
});
