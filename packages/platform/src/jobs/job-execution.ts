/** As AWS names them. */
export type ExecutionStatus =
  | 'QUEUED'
  | 'IN_PROGRESS'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'REJECTED'
  | 'TIMED_OUT'
  | 'CANCELED'
  | 'REMOVED';

/** How a status stands in the tables. Pending ones come first. */
export const STATUS_CODES: Readonly<Record<ExecutionStatus, number>> = {
  QUEUED: 0,
  IN_PROGRESS: 1,
  SUCCEEDED: 2,
  FAILED: 3,
  REJECTED: 4,
  TIMED_OUT: 5,
  CANCELED: 6,
  REMOVED: 7,
};

export const STATUSES = Object.keys(STATUS_CODES) as readonly ExecutionStatus[];
export const PENDING_CODES: readonly number[] = [STATUS_CODES.QUEUED, STATUS_CODES.IN_PROGRESS];

/** What a device may say of itself. */
export type ReportedStatus = 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED' | 'REJECTED';

/** Why an execution has changed. */
export type ChangeCause = 'device' | 'timeout' | 'step-timeout' | 'cancel' | 'abort' | 'removed';

export type StatusDetails = Readonly<Record<string, string>>;

/** Names an execution. */
export interface ExecutionKey {
  /** The number of the job. */
  readonly job: number;
  readonly device: string;
  /** From 1, for each job and device. */
  readonly number: number;
}

/**
 * A job on a device.
 *
 *     QUEUED ──▶ IN_PROGRESS ──▶ SUCCEEDED, FAILED, REJECTED (by the device)
 *        │            │  ▲ └───▶ TIMED_OUT (by a timer)
 *        │            └──┘ progress
 *        └──▶ all of SUCCEEDED, FAILED, REJECTED, CANCELED, REMOVED
 *
 * Invariants: each change has the next version; what is terminal stays; deadlines only while IN_PROGRESS.
 */
export interface JobExecution extends ExecutionKey {
  readonly status: ExecutionStatus;
  /** 1 when queued, +1 by each change. */
  readonly version: number;
  readonly attempt: number;
  readonly queuedAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly updatedAtMs: number;
  /** By the job's rule, from the start on. */
  readonly deadlineMs: number | undefined;
  /** By the step timer, which the device sets and moves. */
  readonly stepDeadlineMs: number | undefined;
  readonly details: StatusDetails | undefined;
  readonly deviceRemoved: boolean;
}

/** What a device reports. */
export interface ExecutionReport {
  readonly status: ReportedStatus;
  /** Undefined: those there were stay. */
  readonly details: StatusDetails | undefined;
  /** Undefined: the step timer runs on; null: no step timer any more. */
  readonly stepTimeoutMs: number | null | undefined;
}

export function isTerminal(status: ExecutionStatus): boolean {
  return status !== 'QUEUED' && status !== 'IN_PROGRESS';
}

export function codeOf(status: ExecutionStatus): number {
  return STATUS_CODES[status];
}

/** @returns of a code in the tables. */
export function statusOf(code: number): ExecutionStatus {
  return STATUSES[Number(code)] ?? 'REMOVED';
}

/** A new one, queued. */
export function queuedExecution(key: ExecutionKey, attempt: number, nowMs: number): JobExecution {
  return {
    job: key.job,
    device: key.device,
    number: key.number,
    status: 'QUEUED',
    version: 1,
    attempt,
    queuedAtMs: nowMs,
    startedAtMs: undefined,
    updatedAtMs: nowMs,
    deadlineMs: undefined,
    stepDeadlineMs: undefined,
    details: undefined,
    deviceRemoved: false,
  };
}

/**
 * What comes of a report.
 *
 * @param timeoutMs how long the job lets an execution be IN_PROGRESS.
 * @returns undefined where it is terminal: nothing changes then.
 */
export function reported(
  before: JobExecution,
  report: ExecutionReport,
  timeoutMs: number | undefined,
  nowMs: number,
): JobExecution | undefined {
  if (isTerminal(before.status)) return undefined;
  const after = {
    ...before,
    status: report.status,
    version: before.version + 1,
    updatedAtMs: nowMs,
    startedAtMs: before.startedAtMs ?? nowMs,
    details: report.details ?? before.details,
  };
  if (report.status !== 'IN_PROGRESS') return { ...after, deadlineMs: undefined, stepDeadlineMs: undefined };
  const started = before.status === 'IN_PROGRESS';
  return {
    ...after,
    deadlineMs: started || timeoutMs === undefined ? before.deadlineMs : nowMs + timeoutMs,
    stepDeadlineMs: stepDeadline(before, report.stepTimeoutMs, nowMs),
  };
}

/** The same execution with the step timer set: its version stays, nothing that others see has changed. */
export function withStepTimer(before: JobExecution, stepTimeoutMs: number | null | undefined, nowMs: number): JobExecution {
  return { ...before, stepDeadlineMs: stepDeadline(before, stepTimeoutMs, nowMs) };
}

/** Ends it, from outside. @returns undefined where it is terminal already. */
export function ended(
  before: JobExecution,
  status: 'TIMED_OUT' | 'CANCELED' | 'REMOVED',
  nowMs: number,
): JobExecution | undefined {
  if (isTerminal(before.status)) return undefined;
  return {
    ...before,
    status,
    version: before.version + 1,
    updatedAtMs: nowMs,
    deadlineMs: undefined,
    stepDeadlineMs: undefined,
  };
}

/** When it times out. */
export function dueAtMs(execution: JobExecution): number | undefined {
  const { deadlineMs, stepDeadlineMs } = execution;
  if (deadlineMs === undefined || stepDeadlineMs === undefined) return deadlineMs ?? stepDeadlineMs;
  return Math.min(deadlineMs, stepDeadlineMs);
}

/** The order in which a device is to do them: what is IN_PROGRESS first, then as they were queued. */
export function pendingOrder(a: JobExecution, b: JobExecution): number {
  return codeOf(b.status) - codeOf(a.status) || a.queuedAtMs - b.queuedAtMs || a.job - b.job || a.number - b.number;
}

function stepDeadline(before: JobExecution, stepTimeoutMs: number | null | undefined, nowMs: number): number | undefined {
  if (stepTimeoutMs === undefined) return before.stepDeadlineMs;
  return stepTimeoutMs === null ? undefined : nowMs + stepTimeoutMs;
}
