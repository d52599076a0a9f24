import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message } from './message.ts';
import { RetainedStore } from './retained-store.ts';

function messageOn(name: string, text = 'x'): Message {
  return new Message(new Topic(name, Buffer.from(name)), Buffer.from(text), { qos: 0, retain: true }, undefined, 0);
}

function readAll(store: RetainedStore, filter: string, slice = 1_000): string[] {
  const cursor = store.cursor(filter);
  const names: string[] = [];
  for (let i = 0; i < 10_000 && !cursor.done; i++) {
    expect(
      cursor.read(slice, (message) => {
        names.push(message.topic.name);
        return true;
      }),
    ).toBeLessThanOrEqual(slice);
  }
  return names.toSorted();
}

const ROOM = { maxRetainedMessages: 1_000, maxRetainedBytes: 1_000_000 };

describe('the retained store', () => {
  it('keeps the last message of each topic', () => {
    const store = new RetainedStore(ROOM);
    store.put(messageOn('a/b', 'first'));
    store.put(messageOn('a/b', 'second'));
    expect(store.get('a/b')?.payload.toString()).toBe('second');
    expect([store.count, store.bytes]).toEqual([1, 9]);
    store.remove('a/b');
    store.remove('a/b');
    store.remove('never/there');
    expect([store.count, store.bytes, store.get('a/b')]).toEqual([0, 0, undefined]);
  });

  it('refuses what is over its bounds, and still replaces', () => {
    const store = new RetainedStore({ maxRetainedMessages: 2, maxRetainedBytes: 20 });
    expect(store.put(messageOn('a', '123456789'))).toBe(true);
    expect(store.put(messageOn('b', '123456789'))).toBe(true);
    expect(store.put(messageOn('c', ''))).toBe(false);
    expect(store.put(messageOn('b', '1234567890'))).toBe(false);
    expect(store.put(messageOn('b', '987654321'))).toBe(true);
    store.remove('a');
    expect(store.put(messageOn('c', '1'))).toBe(true);
    expect(store.count).toBe(2);
  });

  it('finds by filter what the plain rule finds, whatever the size of the slices', () => {
    const level = fc.constantFrom('a', 'b', '', '$x');
    const topic = fc
      .array(level, { minLength: 1, maxLength: 4 })
      .map((levels) => levels.join('/'))
      .filter((name) => name !== '');
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
      .filter((text) => text !== '');
    fc.assert(
      fc.property(
        fc.array(topic),
        fc.array(topic, { maxLength: 5 }),
        filter,
        fc.integer({ min: 1, max: 5 }),
        (puts, removes, text, slice) => {
          const store = new RetainedStore(ROOM);
          for (const name of puts) store.put(messageOn(name));
          for (const name of removes) store.remove(name);
          const left = new Set(puts.filter((name) => !removes.includes(name)));
          expect(store.count).toBe(left.size);
          expect(readAll(store, text, slice)).toEqual([...left].filter((name) => filterMatches(text, name)).toSorted());
        },
      ),
    );
  });

  it('can be changed while it is read', () => {
    const store = new RetainedStore(ROOM);
    for (let i = 0; i < 100; i++) store.put(messageOn(`t/${i}`));
    const cursor = store.cursor('t/#');
    const seen: string[] = [];
    cursor.read(50, (message) => seen.push(message.topic.name) > 0);
    for (let i = 0; i < 100; i += 2) store.remove(`t/${i}`);
    store.put(messageOn('t/new'));
    while (!cursor.done) cursor.read(10, (message) => seen.push(message.topic.name) > 0);
    expect(new Set(seen).size).toBe(seen.length);
    for (let i = 1; i < 100; i += 2) expect(seen).toContain(`t/${i}`);
  });

  it('stops where the reader says so, and goes on behind it', () => {
    const store = new RetainedStore(ROOM);
    for (let i = 0; i < 10; i++) store.put(messageOn(`t/${i}`));
    const cursor = store.cursor('#');
    const seen: string[] = [];
    while (!cursor.done) {
      cursor.read(100, (message) => {
        seen.push(message.topic.name);
        return false;
      });
    }
    expect(seen.length).toBe(10);
  });
});
