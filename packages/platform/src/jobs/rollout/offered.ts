import { DEFAULT_TIME_ZONE, type JobConfig, type JobStatus } from './job-config.ts';
import type { WindowCalendar } from './maintenance-windows.ts';

/** What decides whether a device sees a queued execution. */
export interface OfferedJob {
  readonly status: JobStatus;
  readonly config: Pick<JobConfig, 'schedule'>;
}

/**
 * Whether a device is offered an execution that is QUEUED: not of a job that was cancelled or is being deleted (its executions follow
 * in a while), and not outside of its maintenance windows. One that is IN_PROGRESS goes on to its end.
 */
export function isOffered(
  job: OfferedJob,
  timeZone: string | null | undefined,
  calendar: WindowCalendar,
  nowMs: number,
): boolean {
  if (job.status !== 'IN_PROGRESS' && job.status !== 'SCHEDULED' && job.status !== 'COMPLETED') return false;
  const { schedule } = job.config;
  return calendar.stateAt(schedule?.maintenanceWindows, timeZone ?? schedule?.timeZone ?? DEFAULT_TIME_ZONE, nowMs).open;
}
