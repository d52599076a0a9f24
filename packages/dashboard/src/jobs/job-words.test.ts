import { expect, it } from 'vitest';
import {
  causeWords,
  countParts,
  devicesOf,
  executionTone,
  isMoving,
  isRunning,
  jobTone,
  reasonWords,
  statusWords,
} from './job-words.ts';

const COUNTS = { SUCCEEDED: 3, FAILED: 1, TIMED_OUT: 0, REJECTED: 0, IN_PROGRESS: 2, QUEUED: 4, CANCELED: 0, REMOVED: 0 };

it('says statuses in words, and unknown ones as they are', () => {
  expect(['TIMED_OUT', 'DELETION_IN_PROGRESS', 'NEW_ONE'].map(statusWords)).toEqual(['timed out', 'being deleted', 'new one']);
  expect([jobTone('IN_PROGRESS'), jobTone('COMPLETED'), executionTone('TIMED_OUT'), executionTone('NEW_ONE')]).toEqual([
    'good',
    'plain',
    'bad',
    'plain',
  ]);
  expect([causeWords('abort'), causeWords('else')]).toEqual(['too many devices failed', 'else']);
  expect(reasonWords({ code: 'ABORTED', comment: undefined })).toBe('too many devices failed');
  expect(reasonWords({ code: 'WRONG', comment: 'not this file' })).toBe('WRONG: not this file');
});

it('counts devices by how they stand, what went well first', () => {
  expect(
    countParts(COUNTS)
      .map(({ key, count }) => [key, count])
      .slice(0, 2),
  ).toEqual([
    ['SUCCEEDED', 3],
    ['FAILED', 1],
  ]);
  const progress = { expanding: false, waiting: 90, notified: 10, finished: 4, ratePerMinute: undefined };
  expect(devicesOf({ progress })).toBe(100);
  expect(['SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELED'].map((status) => isRunning({ status }))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it('takes a job that was cancelled for moving until no device has anything left to do', () => {
  expect(isMoving({ status: 'CANCELED', counts: COUNTS })).toBe(true);
  expect(isMoving({ status: 'CANCELED', counts: { ...COUNTS, QUEUED: 0, IN_PROGRESS: 0 } })).toBe(false);
});
