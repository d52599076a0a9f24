import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filterCovers } from './filter-covers.ts';
import { filterMatches, isValidTopicFilter } from './topic-filter.ts';
import { isValidTopicName } from './topic-name.ts';

test.each([
  ['a/b', 'a/b', true],
  ['a/b', 'a/+', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/+', true],
  ['a/+', 'a/#', false],
  ['a/+', 'a/b/c', false],
  ['a/+', 'a', false],
  ['a/#', 'a', true],
  ['a/#', 'a/+/c', true],
  ['a/#', 'a/#', true],
  ['a/#', 'ab', false],
  ['a/#', '#', false],
  ['a/+/#', 'a/#', false],
  ['#', '+/+', true],
  ['#', '#', true],
  ['+/#', '#', true],
  ['+/+/#', '#', false],
  ['/+/#', '/#', true],
  ['+/+/#', '/#', true],
  ['/+', '/#', false],
  ['+/#', '/#', true],
  ['#', '$SYS/#', false],
  ['+/b', '$SYS/b', false],
  ['$SYS/#', '$SYS/+', true],
  ['$SYS/#', '#', false],
  ['+', '/', false],
  ['+/+', '/', true],
])('%j covers %j: %j', (pattern, filter, expected) => {
  expect(filterCovers(pattern, filter)).toBe(expected);
});

test('all filters of two levels and an open end are as their topics say', () => {
  const topics = allPaths(['', 'a', '$x', 'z'], 4).filter(isValidTopicName);
  const paths = allPaths(['', 'a', '$x', '+'], 2);
  const filters = ['#', ...paths, ...paths.map((path) => `${path}/#`)].filter(isValidTopicFilter);
  for (const pattern of filters) {
    const matched = new Set(topics.filter((topic) => filterMatches(pattern, topic)));
    for (const filter of filters) {
      const every = topics.every((topic) => matched.has(topic) || !filterMatches(filter, topic));
      if (filterCovers(pattern, filter) !== every) expect.fail(`${pattern} covers ${filter}: ${every}`);
    }
  }
});

test('a filter is covered exactly when there is no topic that it alone matches', () => {
  // `z` stands for all levels that no filter names; a fourth level for all that is deeper than the filters.
  const topics = allPaths(['', 'a', 'b', '$x', 'z'], 4).filter(isValidTopicName);
  const filters = fc
    .tuple(fc.array(fc.constantFrom('', 'a', 'b', '$x', '+'), { maxLength: 3 }), fc.boolean())
    .map(([levels, open]) => (open || levels.length === 0 ? [...levels, '#'] : levels).join('/'))
    .filter(isValidTopicFilter);
  let covered = 0;
  fc.assert(
    fc.property(filters, filters, (pattern, filter) => {
      const every = topics.every((topic) => !filterMatches(filter, topic) || filterMatches(pattern, topic));
      if (every) covered++;
      expect(filterCovers(pattern, filter)).toBe(every);
    }),
    { numRuns: 4000 },
  );
  expect(covered).toBeGreaterThan(50);
});

function allPaths(levels: readonly string[], depth: number): string[] {
  if (depth === 1) return [...levels];
  const shorter = allPaths(levels, depth - 1);
  return [...new Set([...shorter, ...shorter.flatMap((path) => levels.map((level) => `${path}/${level}`))])];
}
