import { EXECUTION_STATUSES, type ExecutionStatus, type Job, type JobCounts } from '../api/jobs.ts';
import type { Tone } from '../ui/badge.tsx';
import type { BarPart } from '../ui/stacked-bar.tsx';

/** `TIMED_OUT` as `timed out`. */
export function statusWords(status: string): string {
  return WORDS[status] ?? status.toLowerCase().replaceAll('_', ' ');
}

const WORDS: Readonly<Record<string, string>> = { DELETION_IN_PROGRESS: 'being deleted', CANCELED: 'cancelled' };

const JOB_TONES: Readonly<Record<string, Tone>> = { IN_PROGRESS: 'good', CANCELED: 'bad', SCHEDULED: 'warn' };
const EXECUTION_TONES: Readonly<Record<ExecutionStatus, BarPart['tone']>> = {
  SUCCEEDED: 'good',
  FAILED: 'bad',
  TIMED_OUT: 'bad',
  REJECTED: 'bad',
  IN_PROGRESS: 'active',
  QUEUED: 'waiting',
  CANCELED: 'plain',
  REMOVED: 'plain',
};

export function jobTone(status: string): Tone {
  return JOB_TONES[status] ?? 'plain';
}

export function executionTone(status: string): Tone {
  const tone = EXECUTION_STATUSES.find((each) => each === status);
  if (tone === undefined) return 'plain';
  const ofBar = EXECUTION_TONES[tone];
  return ofBar === 'active' ? 'warn' : ofBar === 'waiting' ? 'plain' : ofBar;
}

/** Whether a job has not ended: it can be cancelled, and is to be looked at again soon. */
export function isRunning({ status }: Pick<Job, 'status'>): boolean {
  return status === 'IN_PROGRESS' || status === 'SCHEDULED' || status === 'DELETION_IN_PROGRESS';
}

/** Whether its devices go on: one that was cancelled has some that are still to be told, or that are in the middle of it. */
export function isMoving(job: Pick<Job, 'status' | 'counts'>): boolean {
  return isRunning(job) || job.counts.QUEUED > 0 || job.counts.IN_PROGRESS > 0;
}

export function isPending(status: string): boolean {
  return status === 'QUEUED' || status === 'IN_PROGRESS';
}

/** The devices of a job by how they stand. */
export function countParts(counts: JobCounts): readonly BarPart[] {
  return EXECUTION_STATUSES.map((status) => ({
    key: status,
    label: statusWords(status),
    count: counts[status],
    tone: EXECUTION_TONES[status],
  }));
}

export function failuresOf(counts: JobCounts): number {
  return counts.FAILED + counts.TIMED_OUT + counts.REJECTED;
}

/** All devices that the job means as far as is known: those with an execution, and those that wait for theirs. */
export function devicesOf({ progress }: Pick<Job, 'progress'>): number {
  return progress.notified + progress.waiting;
}

const CAUSES: Readonly<Record<string, string>> = {
  queued: 'given to the device',
  device: 'said the device',
  timeout: 'it took longer than the job allows',
  'step-timeout': 'the time that the device asked for a step was over',
  cancel: 'cancelled by somebody',
  abort: 'too many devices failed',
  removed: 'the device is no longer meant',
};

/** Why an execution has changed. */
export function causeWords(cause: string): string {
  return CAUSES[cause] ?? cause;
}

/** Why a job was cancelled. */
export function reasonWords({ code, comment }: NonNullable<Job['reason']>): string {
  const why =
    { ABORTED: 'too many devices failed', END_OF_SCHEDULE: 'its time was over', USER_INITIATED: 'by hand' }[code] ?? code;
  return comment === undefined ? why : `${why}: ${comment}`;
}
