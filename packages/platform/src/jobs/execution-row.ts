import type { JobExecutionTable } from '../database/tables/job-tables.ts';
import { SelsynError } from '../kernel/errors.ts';
import { codeOf, statusOf, type JobExecution, type StatusDetails } from './job-execution.ts';

export type ExecutionRow = JobExecutionTable;

export const EXECUTION_COLUMNS = [
  'job',
  'device',
  'number',
  'status',
  'version',
  'attempt',
  'queued_at_ms',
  'started_at_ms',
  'updated_at_ms',
  'deadline_ms',
  'step_deadline_ms',
  'details',
  'device_removed',
] as const satisfies readonly (keyof ExecutionRow)[];

export function rowOf(execution: JobExecution): ExecutionRow {
  return {
    job: execution.job,
    device: execution.device,
    number: execution.number,
    status: codeOf(execution.status),
    version: execution.version,
    attempt: execution.attempt,
    queued_at_ms: execution.queuedAtMs,
    started_at_ms: execution.startedAtMs ?? null,
    updated_at_ms: execution.updatedAtMs,
    deadline_ms: execution.deadlineMs ?? null,
    step_deadline_ms: execution.stepDeadlineMs ?? null,
    details: detailsText(execution.details),
    device_removed: execution.deviceRemoved ? 1 : 0,
  };
}

/** @throws SelsynError `data.corrupt` */
export function executionOf(row: ExecutionRow): JobExecution {
  return {
    job: Number(row.job),
    device: row.device,
    number: Number(row.number),
    status: statusOf(row.status),
    version: Number(row.version),
    attempt: Number(row.attempt),
    queuedAtMs: Number(row.queued_at_ms),
    startedAtMs: optional(row.started_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
    deadlineMs: optional(row.deadline_ms),
    stepDeadlineMs: optional(row.step_deadline_ms),
    details: detailsOf(row.details),
    deviceRemoved: Number(row.device_removed) === 1,
  };
}

export function detailsText(details: StatusDetails | undefined): string | null {
  return details === undefined ? null : JSON.stringify(details);
}

/** @throws SelsynError `data.corrupt` */
export function detailsOf(text: string | null): StatusDetails | undefined {
  if (text === null) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null)
    throw new SelsynError('data.corrupt', 'the status details of a job execution are no JSON object');
  // Only what was checked to be texts is written there.
  return value as StatusDetails;
}

function optional(value: number | null): number | undefined {
  return value === null ? undefined : Number(value);
}
