import { expect, test } from 'vitest';
import { NO_COUNTS } from '../jobs/rollout/job-counts.ts';
import type { JobProgress } from '../jobs/rollout/job-progress.ts';
import type { StoredJob } from '../jobs/rollout/stored-job.ts';
import { jobToJson } from './job-json.ts';

const JOB: StoredJob = {
  number: 1,
  id: 'j1',
  group: '/',
  status: 'IN_PROGRESS',
  selection: 'continuous',
  targets: [],
  description: undefined,
  config: {},
  progress: { waiting: 0 },
  nextAtMs: undefined,
  createdAtMs: 0,
  updatedAtMs: 0,
  completedAtMs: undefined,
};

test.each<[string, JobProgress, boolean]>([
  ['begins', { waiting: 0, walk: { target: 0, sinceMs: 0 } }, true],
  ['has found some', { waiting: 0, walk: { target: 0, cursor: 'x', sinceMs: 0 }, meaning: '/' }, true],
  ['has found all', { waiting: 0, meaning: '/', walkAtMs: 60_000 }, false],
  ['looks again', { waiting: 0, walk: { target: 0, sinceMs: 0 }, meaning: '/', walkAtMs: 60_000 }, false],
])('a continuous job that %s', (_, progress, expanding) => {
  expect(jobToJson({ ...JOB, progress }, NO_COUNTS).progress.expanding).toBe(expanding);
});
