import { filterCovers } from '@selsyn/wire/topics/filter-covers.ts';
import { filterMatches, isValidTopicFilter } from '@selsyn/wire/topics/topic-filter.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessFacts } from './access-facts.ts';
import { CompiledPolicies } from './compiled-policies.ts';
import { parsePolicyDocument, type PolicyStatement } from './policy-document.ts';
import { TopicPattern } from './topic-pattern.ts';

const FACTS: AccessFacts = {
  deviceId: 'd1',
  clientId: 'c1',
  type: 'boiler',
  group: '/acme/b1',
  attributes: {
    site: 'north',
    nested: { room: 7 },
    evil: '#',
    slash: 'a/b',
    plus: '+',
    empty: '',
    list: [1],
    on: true,
    tree: '$SYS',
  },
};

function policies(...statements: readonly PolicyStatement[]) {
  const compiled = new CompiledPolicies([{ name: 'p', document: parsePolicyDocument({ statements }) }]);
  const values = compiled.valuesFor(FACTS);
  return {
    publish: (topic: string) => compiled.allowsTopic('publish', topic, values),
    retain: (topic: string) => compiled.allowsTopic('retain', topic, values),
    receive: (topic: string) => compiled.allowsTopic('receive', topic, values),
    subscribe: (filter: string) => compiled.allowsFilter(filter, values),
    connect: (clientId: string) => compiled.decideClient(clientId, values)?.effect === 'allow',
    decide: (topic: string) => compiled.decideTopic('publish', topic, values),
  };
}

const allow = (actions: PolicyStatement['actions'], ...topics: string[]): PolicyStatement => ({
  effect: 'allow',
  actions,
  topics,
});
const deny = (actions: PolicyStatement['actions'], ...topics: string[]): PolicyStatement => ({ effect: 'deny', actions, topics });

describe('policies', () => {
  test('what no statement allows is denied', () => {
    const none = policies();
    expect([none.publish('a'), none.subscribe('a'), none.receive('a'), none.retain('a'), none.connect('c')]).toEqual(
      Array.from({ length: 5 }, () => false),
    );
    const publisher = policies(allow(['publish'], 'a/#'));
    expect([publisher.publish('a/b'), publisher.retain('a/b'), publisher.subscribe('a/b'), publisher.receive('a/b')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('a deny outweighs every allow, wherever it stands', () => {
    for (const statements of [
      [allow(['publish'], '#'), deny(['publish'], 'secret/#')],
      [deny(['publish'], 'secret/#'), allow(['publish'], '#')],
    ]) {
      const both = policies(...statements);
      expect([both.publish('a'), both.publish('secret'), both.publish('secret/x')]).toEqual([true, false, false]);
      expect(both.decide('secret/x')).toMatchObject({ policy: 'p', effect: 'deny', pattern: 'secret/#' });
    }
  });

  test('a subscription that is wider than what is denied brings everything but that', () => {
    const both = policies(allow(['subscribe'], '#'), deny(['subscribe'], 'secret/#'));
    expect([both.subscribe('#'), both.subscribe('secret/#'), both.subscribe('secret/a'), both.subscribe('+/a')]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([both.receive('a'), both.receive('secret/a'), both.receive('secret')]).toEqual([true, false, false]);
    const receiving = policies(allow(['subscribe'], '#'), deny(['receive'], 'secret/#'));
    expect([receiving.subscribe('secret/a'), receiving.receive('secret/a')]).toEqual([true, false]);
  });

  test('variables stand for what is known of the device', () => {
    const own = policies(
      allow(['publish'], 'd/${device.id}/${attributes.nested.room}', 'g/${group}/x', 't/${device.type}-${attributes.on}'),
    );
    for (const topic of ['d/d1/7', 'g/acme/b1/x', 't/boiler-true']) expect([topic, own.publish(topic)]).toEqual([topic, true]);
    for (const topic of ['d/d2/7', 'd/d1/8', 'd/d1/7/x', 'd/d1', 'g/acme/x', 'g/acme/b1', 't/boiler-'])
      expect([topic, own.publish(topic)]).toEqual([topic, false]);
  });

  test.each([
    'evil',
    'slash',
    'plus',
    'tree',
    'empty',
    'list',
    'nested',
    'missing',
    'site.x',
    'toString',
    '__proto__',
    'constructor',
  ])('an attribute that cannot be one level gives nothing where it allows, and takes the level where it denies: %s', (name) => {
    const allowed = policies(allow(['publish', 'subscribe'], `a/\${attributes.${name}}/b`, `x/\${attributes.${name}}`));
    for (const topic of ['a/#/b', 'a/a/b/b', 'a/x/b', 'a//b', 'x/y', 'x/'])
      expect([topic, allowed.publish(topic)]).toEqual([topic, false]);
    for (const filter of ['a/#', 'a/+/b', 'x/#', 'x/+']) expect([filter, allowed.subscribe(filter)]).toEqual([filter, false]);
    const denied = policies(allow(['publish'], '#'), deny(['publish'], `a/\${attributes.${name}}/b`, `x-\${attributes.${name}}`));
    expect([denied.publish('a/x/b'), denied.publish('a/x/c'), denied.publish('x-1'), denied.publish('ax/y')]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  test('wildcards in the first level are no way to the topics of the server', () => {
    const everything = policies(allow(['publish', 'subscribe'], '#', '+/x'));
    expect([everything.publish('$SYS/x'), everything.subscribe('$SYS/#'), everything.receive('$aws/x')]).toEqual([
      false,
      false,
      false,
    ]);
    const own = policies(allow(['publish', 'subscribe'], '${attributes.tree}/#'));
    expect([own.publish('$SYS/x'), own.subscribe('$SYS/#')]).toEqual([false, false]);
    expect([everything.publish('a/$SYS'), everything.subscribe('#')]).toEqual([true, true]);
  });

  test('client ids, with any text at a star', () => {
    const open = policies({ effect: 'allow', actions: ['connect'] });
    expect([open.connect('anything'), open.connect('')]).toEqual([true, true]);
    const own = policies({
      effect: 'allow',
      actions: ['connect'],
      clients: ['${device.id}', '${device.id}-*', '*/${attributes.site}/*x'],
    });
    for (const id of ['d1', 'd1-', 'd1-abc', '/north/x', 'a/north/bx', 'a/north/north/x'])
      expect([id, own.connect(id)]).toEqual([id, true]);
    for (const id of ['', 'd', 'd2', 'd11', 'xd1', 'a/north/b', 'north/x', '/north/'])
      expect([id, own.connect(id)]).toEqual([id, false]);
    const but = policies(
      { effect: 'allow', actions: ['connect'] },
      { effect: 'deny', actions: ['connect'], clients: ['admin*'] },
    );
    expect([but.connect('admin-1'), but.connect('a')]).toEqual([false, true]);
  });

  const level = fc.constantFrom('a', 'b', 'ab', '', '$x');
  const topicName = fc
    .array(level, { minLength: 1, maxLength: 4 })
    .map((levels) => levels.join('/'))
    .filter((name) => name !== '');
  const filter = fc
    .array(fc.oneof(level, fc.constant('+')), { minLength: 0, maxLength: 4 })
    .chain((levels) => fc.boolean().map((rest) => [...levels, ...(rest ? ['#'] : [])].join('/')))
    .filter((text) => isValidTopicFilter(text) && !text.startsWith('$share/'));

  test('a pattern without variables matches what the filter matches, and covers what it covers', () => {
    fc.assert(
      fc.property(filter, topicName, filter, (pattern, topic, wanted) => {
        const compiled = new TopicPattern(pattern, () => 0);
        expect(compiled.matches(topic, [], 'nothing')).toBe(filterMatches(pattern, topic));
        expect(compiled.covers(wanted, [], 'nothing')).toBe(filterCovers(pattern, wanted));
      }),
      { numRuns: 5_000 },
    );
  });

  test('a pattern with variables matches what it is when they are written out', () => {
    const withVariables = fc
      .array(fc.constantFrom('a', '+', '${device.id}', 'x${device.id}', '${device.type}${device.id}', '#'), {
        minLength: 1,
        maxLength: 4,
      })
      .map((levels) => levels.join('/'))
      .filter((text) => isValidTopicFilter(text.replaceAll(/\$\{[^}]*\}/g, 'v')));
    const value = fc.option(fc.constantFrom('a', 'b', 'ab', 'aa'), { nil: undefined });
    const name = fc
      .array(fc.constantFrom('a', 'b', 'xa', 'xab', 'aab', 'ab', 'aa', ''), { minLength: 1, maxLength: 4 })
      .map((l) => l.join('/'));
    fc.assert(
      fc.property(
        withVariables,
        name,
        value,
        value,
        fc.constantFrom('nothing' as const, 'anything' as const),
        (text, topic, id, type, unknown) => {
          const compiled = new TopicPattern(text, (variable) => (variable === 'device.id' ? 0 : 1));
          const expanded = compiled.expand([id, type], unknown);
          if (topic === '') return;
          expect(compiled.matches(topic, [id, type], unknown)).toBe(expanded !== undefined && filterMatches(expanded, topic));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('where a value is missing a denied pattern takes no less than the level', () => {
    const text = fc.constantFrom(
      'a/${device.id}/b',
      '${device.id}',
      'x${device.id}/#',
      'a/x${device.id}y',
      '${device.id}/${device.type}',
    );
    const name = fc.array(fc.constantFrom('a', 'b', 'x', 'xay', 'xa'), { minLength: 1, maxLength: 3 }).map((l) => l.join('/'));
    fc.assert(
      fc.property(text, name, fc.constantFrom('a', 'b', 'x'), (pattern, topic, value) => {
        const compiled = new TopicPattern(pattern, (variable) => (variable === 'device.id' ? 0 : 1));
        if (compiled.matches(topic, [value, value], 'nothing'))
          expect(compiled.matches(topic, [undefined, undefined], 'anything')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a policy document', () => {
  test.each([
    [null, /object with a list/],
    [[], /object with a list/],
    [{}, /^statements: /],
    [{ statements: {} }, /^statements: /],
    [{ statements: [], version: 1 }, /there is no version/],
    [{ statements: [{}] }, /^statements\[0\]\.effect: /],
    [{ statements: [{ effect: 'allow', actions: [] }] }, /^statements\[0\]\.actions: /],
    [{ statements: [{ effect: 'allow', actions: ['fly'], topics: ['a'] }] }, /^statements\[0\]\.actions: /],
    [{ statements: [{ effect: 'allow', actions: ['publish'] }] }, /^statements\[0\]\.topics: /],
    [{ statements: [{ effect: 'allow', actions: ['connect'], topics: ['a'] }] }, /^statements\[0\]\.topics: /],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['a'], clients: ['a'] }] }, /^statements\[0\]\.clients: /],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['a/#/b'] }] }, /is no topic filter/],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['$share/g/a'] }] }, /judged by the filter behind/],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['${device.name}'] }] }, /the variables are/],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['${attributes}'] }] }, /the variables are/],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: ['a/${device.id'] }] }, /the variables are/],
    [{ statements: [{ effect: 'allow', actions: ['publish'], topics: [1] }] }, /^statements\[0\]\.topics\[0\]: /],
    [{ statements: Array.from({ length: 51 }, () => ({ effect: 'allow', actions: ['connect'] })) }, /at most 50/],
  ])('%j is refused, and told where', (document, message) => {
    expect(() => parsePolicyDocument(document)).toThrow(
      expect.objectContaining({ code: 'request.invalid', message: expect.stringMatching(message) }),
    );
  });
});
