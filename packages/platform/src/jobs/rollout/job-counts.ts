import { STATUSES, type ExecutionStatus } from '../job-execution.ts';

/** Of each device that was given an execution, how its latest one stands. */
export type JobCounts = { readonly [status in ExecutionStatus]: number };

export const NO_COUNTS: JobCounts = {
  QUEUED: 0,
  IN_PROGRESS: 0,
  SUCCEEDED: 0,
  FAILED: 0,
  REJECTED: 0,
  TIMED_OUT: 0,
  CANCELED: 0,
  REMOVED: 0,
};

/** Devices that were given an execution. */
export function notifiedOf(counts: JobCounts): number {
  return STATUSES.reduce((sum, status) => sum + counts[status], 0);
}

/** Devices that still have to do something. */
export function openOf({ QUEUED, IN_PROGRESS }: JobCounts): number {
  return QUEUED + IN_PROGRESS;
}
