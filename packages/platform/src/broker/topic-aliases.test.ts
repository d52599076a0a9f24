import { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TopicAliases } from './topic-aliases.ts';

function topic(name: string): Topic {
  return new Topic(name, Buffer.from(name));
}

/** What a client makes of the aliases: throws where it would take a message for another topic's. */
class Client {
  readonly #aliases: TopicAliases;
  readonly #max: number;
  readonly #known = new Map<number, string>();
  told = 0;
  saved = 0;
  plain = 0;

  constructor(max: number) {
    this.#aliases = new TopicAliases(max);
    this.#max = max;
  }

  send(name: string, sent = true): number | undefined {
    const found = this.#aliases.aliasOf(topic(name));
    if (found === undefined) {
      this.plain++;
      return undefined;
    }
    const { alias, isNew } = found;
    expect(alias).toBeGreaterThanOrEqual(1);
    expect(alias).toBeLessThanOrEqual(this.#max);
    if (isNew) {
      this.told++;
      if (sent) this.#known.set(alias, name);
      else this.#aliases.forget(topic(name));
    } else {
      this.saved++;
      expect(this.#known.get(alias)).toBe(name);
    }
    return alias;
  }
}

test('a topic gets its alias the second time, and goes without its name from the third on', () => {
  const client = new Client(10);
  expect([1, 2, 3, 4].map(() => client.send('telemetry/a'))).toEqual([undefined, 1, 1, 1]);
  expect([client.plain, client.told, client.saved]).toEqual([1, 1, 2]);
  expect(client.send('telemetry/b')).toBeUndefined();
  expect(client.send('telemetry/b')).toBe(2);
});

test('a topic of which the client was not told is told again', () => {
  const client = new Client(1);
  client.send('telemetry/a');
  expect(client.send('telemetry/a', false)).toBe(1);
  expect([1, 2, 3].map(() => client.send('telemetry/a'))).toEqual([undefined, 1, 1]);
  expect(client.told).toBe(2);
});

test('a name that is as short as an alias has none', () => {
  const client = new Client(10);
  for (let i = 0; i < 5; i++) expect(client.send('abcd')).toBeUndefined();
});

test('aliases go over to the topics that are used now', () => {
  const client = new Client(8);
  for (let round = 0; round < 50; round++) for (let i = 0; i < 8; i++) client.send(`old/topic/${i}`);
  for (let round = 0; round < 20; round++) for (let i = 0; i < 8; i++) client.send(`new/topic/${i}`);
  client.saved = 0;
  for (let i = 0; i < 8; i++) client.send(`new/topic/${i}`);
  expect(client.saved).toBe(8);
});

test('a topic that is in use keeps its alias while others come and go', () => {
  const client = new Client(4);
  for (let i = 0; i < 3; i++) client.send('busy/topic');
  const before = client.send('busy/topic');
  for (let i = 0; i < 1_000; i++) {
    client.send(`passing/${i}`);
    client.send(`passing/${i}`);
    expect(client.send('busy/topic')).toBe(before);
  }
});

test.each([9, 12, 16])('where %d topics take turns at 8 aliases, nearly 8 of them go by alias all the time', (topics) => {
  const client = new Client(8);
  for (let round = 0; round < 20; round++) for (let i = 0; i < topics; i++) client.send(`some/topic/${i}`);
  [client.saved, client.told] = [0, 0];
  const rounds = 200;
  for (let round = 0; round < rounds; round++) for (let i = 0; i < topics; i++) client.send(`some/topic/${i}`);
  expect(client.saved).toBeGreaterThan(7.5 * rounds);
  expect(client.told).toBeLessThan(0.1 * rounds);
});

test('the client never takes a message for one of another topic, whatever is sent, replaced and taken back', () => {
  const runs = fc.record({ topic: fc.nat(8), times: fc.integer({ min: 1, max: 12 }), sent: fc.boolean() });
  let told = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(runs, { minLength: 60, maxLength: 100 }), (max, script) => {
      const client = new Client(max);
      for (const { topic: index, times, sent } of script) {
        for (let i = 0; i < times; i++) client.send(`some/topic/${index}`, sent || i > 1);
      }
      told += client.told;
    }),
  );
  expect(told).toBeGreaterThan(500);
});
