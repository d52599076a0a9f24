import { expect, it } from 'vitest';
import { keyFromHash } from './key-from-hash.ts';

it('finds the key of a sign-in link and nothing else', () => {
  expect(keyFromHash('#key=abc-_123')).toBe('abc-_123');
  expect(keyFromHash('#content')).toBeUndefined();
  expect(keyFromHash('#key=')).toBeUndefined();
  expect(keyFromHash('')).toBeUndefined();
});
