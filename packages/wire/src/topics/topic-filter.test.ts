import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filterMatches, isValidTopicFilter, parseSharedFilter } from './topic-filter.ts';
import { isValidTopicName } from './topic-name.ts';

describe('isValidTopicFilter', () => {
  test.each([
    'a',
    '/',
    '+',
    '#',
    '/#',
    '/+',
    '+/',
    '+/+',
    '+/#',
    'a/+/b',
    'a/#',
    '+/a/#',
    '$SYS/#',
    'ü/+',
    '$share',
    '$sharex/+',
  ])('accepts %j', (filter) => {
    expect(isValidTopicFilter(filter)).toBe(true);
  });

  test.each(['', 'a#', '#/a', 'a/#/b', '##', '#a', 'a+', '+a', 'a/b+/c', 'a/+b/c', '++', 'a\0', '\ud800', 'a'.repeat(65_536)])(
    'refuses %j',
    (filter) => {
      expect(isValidTopicFilter(filter)).toBe(false);
    },
  );

  test.each(['$share/g/a', '$share/g/#', '$share/g//', '$share/a b/+/x', '$share/g/$SYS/#'])(
    'accepts the shared filter %j',
    (filter) => {
      expect(isValidTopicFilter(filter)).toBe(true);
    },
  );

  test.each(['$share/', '$share/g', '$share/g/', '$share//a', '$share/+/a', '$share/g#/a', '$share/g/a#', '$share/g\0/a'])(
    'refuses the shared filter %j',
    (filter) => {
      expect(isValidTopicFilter(filter)).toBe(false);
      expect(parseSharedFilter(filter)).toBeUndefined();
    },
  );
});

describe('parseSharedFilter', () => {
  test('takes the group and the filter apart', () => {
    expect(parseSharedFilter('$share/workers/telemetry/+')).toEqual({ group: 'workers', filter: 'telemetry/+' });
    expect(parseSharedFilter('$share/g//a')).toEqual({ group: 'g', filter: '/a' });
  });

  test('leaves a plain filter alone', () => {
    expect(parseSharedFilter('telemetry/+')).toBeUndefined();
    expect(parseSharedFilter('$shared/g/a')).toBeUndefined();
  });
});

describe('filterMatches', () => {
  // The examples of section 4.7, and the corners around them.
  test.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/tennis/player1/#', 'sport/tennis/player10', false],
    ['sport/#', 'sport', true],
    ['sport/#', 'sports', false],
    ['#', 'a', true],
    ['#', '/', true],
    ['#', 'a/b/c', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+', 'finance', true],
    ['+', '/finance', false],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+/#', 'a', true],
    ['+/b/#', 'a/b', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a//c', true],
    ['a/+/c', 'a/b/d', false],
    ['a', 'a', true],
    ['a', 'A', false],
    ['a', 'a/', false],
    ['a/', 'a', false],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['#', '$SYS/uptime', false],
    ['+/uptime', '$SYS/uptime', false],
    ['$SYS/#', '$SYS/uptime', true],
    ['$SYS/+', '$SYS/uptime', true],
    ['a/#', 'a/$SYS', true],
    ['a/+', 'a/$SYS', true],
  ])('%j on %j: %j', (filter, topic, expected) => {
    expect(isValidTopicFilter(filter)).toBe(true);
    expect(isValidTopicName(topic)).toBe(true);
    expect(filterMatches(filter, topic)).toBe(expected);
  });

  test('agrees with a comparison level by level', () => {
    const level = fc.constantFrom('', 'a', 'b', 'ab', '$x');
    const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'));
    const filters = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 5 }), fc.boolean())
      .map(([levels, open]) => (open || levels.length === 0 ? [...levels, '#'] : levels).join('/'));
    fc.assert(
      fc.property(filters.filter(isValidTopicFilter), topics.filter(isValidTopicName), (filter, topic) => {
        expect(filterMatches(filter, topic)).toBe(matchesByLevel(filter, topic));
      }),
      { numRuns: 2000 },
    );
  });
});

function matchesByLevel(filter: string, topic: string): boolean {
  const filterLevels = filter.split('/');
  const topicLevels = topic.split('/');
  if (topic.startsWith('$') && ['+', '#'].includes(filterLevels[0] ?? '')) return false;
  const open = filterLevels.at(-1) === '#';
  const fixed = open ? filterLevels.slice(0, -1) : filterLevels;
  if (open ? topicLevels.length < fixed.length : topicLevels.length !== fixed.length) return false;
  return fixed.every((level, i) => level === '+' || level === topicLevels[i]);
}
