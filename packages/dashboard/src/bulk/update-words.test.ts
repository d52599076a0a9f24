import { expect, it } from 'vitest';
import type { ShadowUpdate } from '../api/shadow-updates.ts';
import { updateParts, updateTone, updateWords } from './update-words.ts';

const update: ShadowUpdate = {
  id: 'u1',
  kind: 'desired',
  state: 'running',
  target: 'group:/acme',
  shadow: '',
  desired: {},
  ratePerSec: 1000,
  startedBy: 'ann',
  total: 100_000,
  done: 41_000,
  unchanged: 0,
  failed: 12,
  left: 58_988,
  observedPerSec: 990.4,
  etaMs: 59_560,
  createdAtMs: 0,
  finishedAtMs: undefined,
};

it('says how far an update is and how long it will take', () => {
  expect(updateWords(update)).toBe('41,000 of 100,000 changed, 12 failed, 990 a second, 60 s to go');
  expect(updateWords({ ...update, state: 'cancelled' })).toBe('41,000 of 100,000 changed, 12 failed, 58,988 left out');
  expect(updateWords({ ...update, state: 'done', total: 3, done: 1, unchanged: 2, failed: 0, left: 0 })).toBe(
    '1 of 3 changed, 2 had it already',
  );
});

it('shows what came of it part by part', () => {
  expect(updateParts(update).map(({ key, count }) => [key, count])).toEqual([
    ['done', 41_000],
    ['unchanged', 0],
    ['failed', 12],
  ]);
  expect(['running', 'done', 'cancelled'].map(updateTone)).toEqual(['good', 'plain', 'bad']);
});
