import { expect, it } from 'vitest';
import { targetTexts, targetWords } from './target.ts';

it('writes a target as the server takes it, and each of many devices by itself', () => {
  expect(targetTexts({ kind: 'group', value: ' /acme ' })).toEqual(['group:/acme']);
  expect(targetTexts({ kind: 'filter', value: 'a = 1' })).toEqual(['filter:a = 1']);
  expect(targetTexts({ kind: 'device', value: 'a, b\nc a' })).toEqual(['device:a', 'device:b', 'device:c']);
  expect(targetTexts({ kind: 'fleet', value: ' ' })).toEqual([]);
});

it('says a target in words, whatever is in it', () => {
  expect(targetWords('group:/acme')).toBe('group /acme');
  expect(targetWords('filter:tag = "a:b"')).toBe('filter tag = "a:b"');
});
