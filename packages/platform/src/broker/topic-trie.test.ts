import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueTo, type SubscriptionOptions, TopicTrie } from './topic-trie.ts';

const PLAIN: SubscriptionOptions = { qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 };

describe('the topic trie', () => {
  it('matches as the standard says', () => {
    const trie = new TopicTrie<string>();
    for (const filter of ['a', 'a/b', 'a/+', 'a/#', '#', '+', '+/+', '+/b/#', '$sys/#', '/+', 'a//b'])
      trie.set(filter, filter, PLAIN);
    const match = (topic: string): string[] =>
      trie
        .match(topic)
        .map(({ subscriber }) => subscriber)
        .toSorted();
    expect(match('a')).toEqual(['#', '+', 'a', 'a/#']);
    expect(match('a/b')).toEqual(['#', '+/+', '+/b/#', 'a/#', 'a/+', 'a/b']);
    expect(match('$sys')).toEqual(['$sys/#']);
    expect(match('$sys/b')).toEqual(['$sys/#']);
    expect(match('/x')).toEqual(['#', '+/+', '/+']);
    expect(match('a//b')).toEqual(['#', 'a/#', 'a//b']);
  });

  it('joins overlapping subscriptions of one subscriber', () => {
    const trie = new TopicTrie<string>();
    trie.set('a/#', 's', { qos: 0, noLocal: false, retainAsPublished: false, identifier: 5 });
    trie.set('a/b', 's', { qos: 2, noLocal: false, retainAsPublished: true, identifier: 7 });
    trie.set('+/b', 's', { ...PLAIN, qos: 1 });
    expect(trie.match('a/b')).toEqual([
      { subscriber: 's', qos: 2, noLocal: false, own: undefined, retainAsPublished: true, identifiers: [5, 7] },
    ]);
  });

  it.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[1, 2, 0]], [[2, 0, 1]], [[2, 1, 0]]])(
    'joins for own messages only those without no local, in whatever order they match (%j)',
    (order) => {
      const trie = new TopicTrie<{ readonly key: string }>();
      const subscriber = { key: 's' };
      const options: readonly SubscriptionOptions[] = [
        { qos: 2, noLocal: true, retainAsPublished: true, identifier: 5 },
        { qos: 0, noLocal: false, retainAsPublished: false, identifier: 6 },
        { qos: 1, noLocal: false, retainAsPublished: false, identifier: 7 },
      ];
      // They match in this order.
      for (const [i, filter] of ['#', 'a/#', 'a/b'].entries()) trie.set(filter, subscriber, options[order[i] ?? 0] ?? PLAIN);
      const [match] = trie.match('a/b');
      if (match === undefined) throw new Error('there is no match');
      const foreign = dueTo(match, 'other');
      expect([foreign?.qos, foreign?.retainAsPublished, foreign?.identifiers?.toSorted()]).toEqual([2, true, [5, 6, 7]]);
      const own = dueTo(match, 's');
      expect([own?.qos, own?.retainAsPublished, own?.identifiers?.toSorted()]).toEqual([1, false, [6, 7]]);
      for (const filter of ['#', 'a/#', 'a/b']) trie.set(filter, subscriber, { ...PLAIN, noLocal: true });
      expect(trie.match('a/b').map((each) => dueTo(each, 's'))).toEqual([undefined]);
    },
  );

  it('replaces a subscription to the same filter', () => {
    const trie = new TopicTrie<string>();
    expect(trie.set('a', 's', PLAIN)).toBe(true);
    const { version } = trie;
    expect(trie.set('a', 's', { ...PLAIN, qos: 2 })).toBe(false);
    expect(trie.version).toBeGreaterThan(version);
    expect(trie.size).toBe(1);
    expect(trie.match('a')[0]?.qos).toBe(2);
  });

  it('agrees with the plain rule for random filters and topics, also after deletions', () => {
    const level = fc.constantFrom('a', 'b', '', '$x', 'long');
    const topic = fc
      .array(level, { minLength: 1, maxLength: 4 })
      .map((levels) => levels.join('/'))
      .filter((name) => name !== '');
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
      .filter((text) => text !== '');
    const step = fc.record({ filter, subscriber: fc.constantFrom('s', 't'), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(topic, { maxLength: 10 }), (steps, topics) => {
        const trie = new TopicTrie<string>();
        const model = new Map<string, { filter: string; subscriber: string }>();
        for (const { filter, subscriber, remove } of steps) {
          const key = `${subscriber} ${filter}`;
          if (remove) expect(trie.delete(filter, subscriber)).toBe(model.delete(key));
          else {
            expect(trie.set(filter, subscriber, PLAIN)).toBe(!model.has(key));
            model.set(key, { filter, subscriber });
          }
        }
        expect(trie.size).toBe(model.size);
        for (const name of topics) {
          const expected = new Set(
            [...model.values()].filter(({ filter }) => filterMatches(filter, name)).map(({ subscriber }) => subscriber),
          );
          expect(
            trie
              .match(name)
              .map(({ subscriber }) => subscriber)
              .toSorted(),
          ).toEqual([...expected].toSorted());
        }
      }),
    );
  });

  it('looks at few nodes however many subscriptions there are', () => {
    const trie = new TopicTrie<number>();
    for (let i = 0; i < 50_000; i++) trie.set(`devices/d${i}/#`, i, PLAIN);
    for (let i = 0; i < 1_000; i++) expect(trie.match(`devices/d${i}/state`)).toHaveLength(1);
    // The root, `devices`, `dN`: a level of the topic each.
    expect(trie.visits).toBe(3_000);
  });
});
