import { expect, test } from 'vitest';
import { isGroupPath, isWithin, lineageOf, parentOf, parseGroupPath } from './group-path.ts';
import { EVERYTHING, isEverything, NOTHING, scopeIncludes } from './scope.ts';

test.each([
  '/',
  '/a',
  '/acme/building-42/floor-2',
  '/A:b_c.d-e',
  '/...',
  '/.a/..b',
  `/${Array.from({ length: 16 }, () => 'x').join('/')}`,
])('%s is a path', (path) => {
  expect(parseGroupPath(path)).toBe(path);
});

test.each([
  '',
  'a',
  '//',
  '/a/',
  '/a//b',
  '/a b',
  '/ä',
  '/a\n',
  `/${'x'.repeat(65)}`,
  '/x'.repeat(17),
  '/a/%',
  "/a'",
  '/.',
  '/..',
  '/a/../b',
  '/a/.',
])('%j is none', (path) => {
  expect(isGroupPath(path)).toBe(false);
  expect(() => parseGroupPath(path)).toThrow(expect.objectContaining({ code: 'request.invalid' }));
});

test('a node is within itself and those above, and in no sibling whose name begins alike', () => {
  expect(isWithin('/acme', '/acme')).toBe(true);
  expect(isWithin('/acme/b', '/acme')).toBe(true);
  expect(isWithin('/acme/b', '/')).toBe(true);
  expect(isWithin('/acmeto', '/acme')).toBe(false);
  expect(isWithin('/acme', '/acme/b')).toBe(false);
});

test('the line from the root, and the node above', () => {
  expect(lineageOf('/')).toEqual(['/']);
  expect(lineageOf('/a/b')).toEqual(['/', '/a', '/a/b']);
  expect([parentOf('/'), parentOf('/a'), parentOf('/a/b')]).toEqual([undefined, '/', '/a']);
});

test('a scope is what is at or below one of its nodes', () => {
  const scope = { groups: ['/a', '/b/c'] };
  expect(['/a', '/a/x', '/b/c', '/b', '/', '/ab'].map((path) => scopeIncludes(scope, path))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([scopeIncludes(EVERYTHING, '/x'), isEverything(EVERYTHING), isEverything(scope)]).toEqual([true, true, false]);
  expect(scopeIncludes(NOTHING, '/')).toBe(false);
});
