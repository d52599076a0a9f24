import { describe, expect, test } from 'vitest';
import { MqttError } from './mqtt-error.ts';
import { isTopic, LONGEST_KEPT, type Topic, TopicCache } from './topic-cache.ts';

function intern(cache: TopicCache, name: string): Topic {
  const bytes = Buffer.from(`..${name}.`);
  return cache.intern(bytes, 2, bytes.length - 1);
}

describe('TopicCache', () => {
  test('gives the same object for the same bytes', () => {
    const cache = new TopicCache(100);
    const topic = intern(cache, 'telemetry/ü');
    expect(topic.name).toBe('telemetry/ü');
    expect(Buffer.from(topic.bytes).toString()).toBe('telemetry/ü');
    expect(intern(cache, 'telemetry/ü')).toBe(topic);
    expect(intern(cache, 'telemetry/u')).not.toBe(topic);
  });

  test('does not keep the buffer that a name came in', () => {
    const bytes = Buffer.from('abc');
    const topic = new TopicCache(10).intern(bytes, 0, 3);
    bytes.fill(0);
    expect(Buffer.from(topic.bytes).toString()).toBe('abc');
  });

  test.each([1, 7, 8, 100])('keeps no more than %d topics, the latest among them', (limit) => {
    const cache = new TopicCache(limit);
    const names = Array.from({ length: 1000 }, (_, i) => `t/${i}`);
    const topics = names.map((name) => intern(cache, name));
    expect(intern(cache, 't/999')).toBe(topics[999]);
    // From the newest to the oldest, so that what a look-up pushes out was looked up before.
    const kept = names.toReversed().filter((name, i) => intern(cache, name) === topics[999 - i]);
    expect(kept.length).toBeLessThanOrEqual(limit);
  });

  test('keeps as many topics as it may, nearly', () => {
    const cache = new TopicCache(8000);
    const names = Array.from({ length: 4000 }, (_, i) => `telemetry/device-${i}`);
    const topics = names.map((name) => intern(cache, name));
    const kept = names.filter((name, i) => intern(cache, name) === topics[i]);
    expect(kept.length).toBeGreaterThan(3600);
  });

  test('makes a long name anew each time', () => {
    const cache = new TopicCache(10);
    const name = 'a'.repeat(LONGEST_KEPT);
    expect(intern(cache, name)).toBe(intern(cache, name));
    expect(intern(cache, `${name}a`)).not.toBe(intern(cache, `${name}a`));
    expect(intern(cache, `${name}a`).name).toBe(`${name}a`);
  });

  test.each(['', 'a/+', '#', 'a\0'])('refuses %j', (name) => {
    expect(() => intern(new TopicCache(10), name)).toThrow(MqttError);
  });
});

test('isTopic compares the whole name', () => {
  const cache = new TopicCache(10);
  const topic = intern(cache, 'abc');
  const is = (name: string): boolean => isTopic(topic, Buffer.from(name), 0, name.length);
  expect(is('abc')).toBe(true);
  expect([is('abd'), is('bbc'), is('ab'), is('abcd'), is('')]).toEqual([false, false, false, false, false]);
});
