import { expect, test } from 'vitest';
import { healthOf } from './forwarder-health.ts';

const taken = { refusedInRow: 0, sent: 10, isHolding: false };

test('a target that takes none of several records refuses, a broken record alone says nothing of it', () => {
  expect(healthOf('closed', taken)).toBe('well');
  expect(healthOf('closed', { ...taken, refusedInRow: 4 })).toBe('well');
  expect(healthOf('closed', { ...taken, refusedInRow: 5 })).toBe('refusing');
});

test('of a target that has never taken a record the first refusal is told', () => {
  expect(healthOf('closed', { refusedInRow: 1, sent: 0, isHolding: false })).toBe('refusing');
  expect(healthOf('closed', { refusedInRow: 0, sent: 0, isHolding: false })).toBe('well');
});

test('one that holds refuses while it tries again; one that is away fails, whatever it refused before', () => {
  expect(healthOf('retrying', { ...taken, isHolding: true })).toBe('refusing');
  expect(healthOf('retrying', taken)).toBe('retrying');
  expect(healthOf('open', { ...taken, refusedInRow: 9 })).toBe('failing');
  expect(healthOf('half-open', taken)).toBe('failing');
});
