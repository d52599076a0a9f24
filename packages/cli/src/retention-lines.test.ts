import { expect, test } from 'vitest';
import { blockedText, keptText, planText } from './retention-lines.ts';

test('says how long each level is kept', () => {
  const effective = { raw: 7, hourly: 90, daily: null, archive: null };
  expect(keptText({ raw: 7, daily: null }, effective)).toBe('raw 7 d, daily for ever');
  expect(keptText({ hourly: 2, archive: null }, effective)).toBe('hourly 2 d (really 90 d), archive for ever');
});

test('a plan says what goes, what stays and why, and what comes of it', () => {
  const step = { level: 'raw', file: 'days/2026-11-01.db', from: '2026-11-01', to: '2026-11-01', bytes: 1000, freesBytes: 1000 };
  const text = planText({
    freesBytes: 1500,
    steps: [
      { ...step, action: 'drop' },
      { ...step, action: 'trim', freesBytes: 500 },
      { ...step, action: 'drop', to: '2026-11-07', blocked: 'held' },
    ],
    more: 2,
    refused: 'the clock',
  });
  expect(text.split('\n').map((line) => line.replace(/ {2,}/g, ' | '))).toEqual([
    'the clock',
    '',
    expect.stringMatching(/^level \| days/) as string,
    expect.stringMatching(/^-+/) as string,
    'raw | 2026-11-01 | days/2026-11-01.db | 1.00 kB | all of it | 1.00 kB',
    'raw | 2026-11-01 | days/2026-11-01.db | 1.00 kB | a part of it | 500 B',
    'raw | 2026-11-01 to 2026-11-07 | days/2026-11-01.db | 1.00 kB | stays: under legal hold',
    'and 2 more',
    '1.50 kB would be freed',
  ]);
  expect(planText({ freesBytes: 0, steps: [], more: 0 })).toBe('nothing is too old');
  expect(blockedText('hot-points')).toBe('points have just come (hot-points)');
});
