import type { Generated } from 'kysely';

/** Jobs and their executions. */
export interface JobTables {
  readonly job: JobTable;
  readonly job_count: JobCountTable;
  readonly job_waiting: JobWaitingTable;
  readonly job_execution: JobExecutionTable;
  readonly job_execution_event: JobExecutionEventTable;
  readonly job_timer: JobTimerTable;
}

export interface JobTable {
  /** Short, for the keys of the other tables; in the order of creation, never given again. */
  readonly number: Generated<number>;
  /** What people, programs and devices call it: `[A-Za-z0-9_-]{1,64}`. */
  readonly id: string;
  /** The group that it stands in, for who may see and change it. */
  readonly group_path: string;
  /** As AWS says it: SCHEDULED, IN_PROGRESS, CANCELED, COMPLETED, DELETION_IN_PROGRESS. */
  readonly status: string;
  /** `snapshot` or `continuous`. */
  readonly selection: string;
  /** A JSON array: `device:X`, `group:/a/b`, `fleet:name`. */
  readonly targets: string;
  /** JSON, as it goes to devices. Never changes. */
  readonly document: string;
  readonly description: string | null;
  /** A JSON object: rollout, abort, timeout, retry, schedule, windows, as they were given. */
  readonly config: string;
  /** How long an execution may be IN_PROGRESS; null: for ever. Also in `config`. */
  readonly in_progress_timeout_ms: number | null;
  /** A JSON object: how far the orchestration is (what was expanded, rate, why it was cancelled). */
  readonly progress: string;
  /** When the orchestration has to look at it again; null: when something happens. */
  readonly next_at_ms: number | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly completed_at_ms: number | null;
}

/**
 * How many devices have their latest execution of a job in a status: kept with each change, and when another execution (a retry, a
 * device that came back) takes the place of the one before. No row: none.
 */
export interface JobCountTable {
  readonly job: number;
  /** See `STATUS_CODES`. */
  readonly status: number;
  readonly executions: number;
}

/** Devices that a job is meant for, and which it has not reached yet: rollout rate, maintenance windows, retries. */
export interface JobWaitingTable {
  readonly job: number;
  readonly device: string;
  /** Not before this time; 0: as soon as the rate allows. */
  readonly ready_at_ms: number;
  /** Of the execution that it will become; 0 the first. -1: it has one, and is reminded of it when its maintenance window opens. */
  readonly attempt: number;
}

/** A job on a device. Another attempt, or the device coming back to a group, is another execution, with the next number. */
export interface JobExecutionTable {
  readonly job: number;
  readonly device: string;
  /** From 1, for each job and device. */
  readonly number: number;
  /** See `STATUS_CODES`. */
  readonly status: number;
  /** +1 by each change; 1 when it is queued. */
  readonly version: number;
  /** How many attempts were before it by `retry`. */
  readonly attempt: number;
  readonly queued_at_ms: number;
  readonly started_at_ms: number | null;
  readonly updated_at_ms: number;
  /** When it times out by the job's rule. */
  readonly deadline_ms: number | null;
  /** When it times out by the step timer that the device has set. */
  readonly step_deadline_ms: number | null;
  /** statusDetails: a JSON object of strings; null: none were given. */
  readonly details: string | null;
  /** 1: the device was removed from the registry since. The job still counts it, a new device of that id does not see it. */
  readonly device_removed: number;
}

/** What happened to an execution, but for its being queued. */
export interface JobExecutionEventTable {
  readonly job: number;
  readonly device: string;
  readonly number: number;
  /** That the execution has since. */
  readonly version: number;
  readonly at_ms: number;
  readonly status: number;
  /** `device`, `timeout`, `step-timeout`, `cancel`, `abort`, `removed`. */
  readonly cause: string;
  readonly details: string | null;
}

/** Executions that time out: only those that are IN_PROGRESS with a time limit. */
export interface JobTimerTable {
  readonly job: number;
  readonly device: string;
  readonly number: number;
  readonly due_at_ms: number;
}
