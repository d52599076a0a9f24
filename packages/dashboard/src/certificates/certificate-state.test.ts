import { expect, it } from 'vitest';
import { certificateState } from './certificate-state.ts';

const DAY = 86_400_000;

it('says what a certificate is good for', () => {
  const state = (status: string, days: number) => certificateState({ status, notAfterMs: days * DAY }, 0).text;
  expect(state('active', 31)).toBe('active');
  expect(state('active', 29)).toBe('expires soon');
  expect(state('active', -1)).toBe('expired');
  expect(state('pending', 300)).toBe('pending');
  expect(state('revoked', -1)).toBe('revoked');
});
