import { expect, it } from 'vitest';
import { goneWords } from './gone-words.ts';

it('says why a device is gone, and a reason that it does not know as it is', () => {
  expect(goneWords('keep-alive')).toContain('fell silent');
  expect(goneWords('server-ended')).toContain('not come back');
  expect(goneWords('new-reason')).toBe('new-reason');
  expect(goneWords(undefined)).toBe('Why is not known.');
});
