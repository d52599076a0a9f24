import { expect, it } from 'vitest';
import { abortWords, endWords, retryWords, rolloutWords, windowWords } from './rule-words.ts';

it('says how a job goes out', () => {
  expect(rolloutWords(undefined)).toBe('all at once');
  expect(rolloutWords({ maximumPerMinute: 1500 })).toBe('1,500 a minute');
  const exponential = { baseRatePerMinute: 50, incrementFactor: 2, rateIncreaseCriteria: { numberOfSucceededThings: 100 } };
  expect(rolloutWords({ maximumPerMinute: 1000, exponential })).toBe(
    'from 50 a minute, times 2 each time 100 succeed, up to 1,000 a minute',
  );
  expect(rolloutWords({ exponential })).toBe('from 50 a minute, times 2 each time 100 succeed, up to no limit');
});

it('says what becomes of failures, and when it may go on', () => {
  const criteria = [{ failureType: 'TIMED_OUT', thresholdPercentage: 5, minNumberOfExecutedThings: 20, numberOfRetries: 2 }];
  expect(abortWords({ criteria })).toBe('when 5 % time out, of at least 20');
  expect(retryWords({ criteria })).toBe('2 times when they time out');
  expect([{ endBehavior: 'CANCEL' }, { endBehavior: 'FORCE_CANCEL' }, {}].map(endWords)).toEqual([
    'what is not begun is cancelled',
    'all of it is cancelled',
    'what has been given goes on',
  ]);
  expect(windowWords({})).toEqual([]);
  expect(windowWords({ maintenanceWindows: [{ startTime: '0 2 * * *', durationMinutes: 60 }], timeZone: 'Asia/Tokyo' })).toEqual([
    '0 2 * * * for 60 min (Asia/Tokyo unless the device says)',
  ]);
});
