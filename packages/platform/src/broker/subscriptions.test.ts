import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { Subscriptions } from './subscriptions.ts';

const PLAIN = { qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
const TOPIC = new Topic('a/b', Buffer.from('a/b'));

describe('subscriptions', () => {
  it('answer a topic from the cache until something changes', () => {
    const subscriptions = new Subscriptions<string>();
    subscriptions.set('a/+', 's', PLAIN);
    const first = subscriptions.match(TOPIC);
    expect(subscriptions.match(TOPIC)).toBe(first);
    subscriptions.set('#', 't', PLAIN);
    expect(
      subscriptions
        .match(TOPIC)
        .map(({ subscriber }) => subscriber)
        .toSorted(),
    ).toEqual(['s', 't']);
    subscriptions.delete('a/+', 's');
    expect(subscriptions.match(TOPIC).map(({ subscriber }) => subscriber)).toEqual(['t']);
    expect(first.map(({ subscriber }) => subscriber)).toEqual(['s']);
  });

  it('stay right when more topics are asked for than are cached', () => {
    const subscriptions = new Subscriptions<string>(2);
    subscriptions.set('t/+', 's', PLAIN);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5; i++) expect(subscriptions.match(new Topic(`t/${i}`, Buffer.from(`t/${i}`))).length).toBe(1);
    }
  });
});
