import type { RolloutPace } from './rollout-rate.ts';

/** How far the orchestration of a job is. Plain data, written in the transaction of what it says. */
export interface JobProgress {
  /** The targets are being walked through: devices that have no execution get one, or wait. */
  readonly walk?: Walk;
  /** Of a continuous job, after a walk: those that have one pending are looked at in the order of their ids, whether they still belong. */
  readonly leaving?: { readonly after: string };
  /** Of a continuous job: when its targets are walked through again, ms. */
  readonly walkAtMs?: number;
  /** What its targets meant at the last walk: where that changes, they are walked through at once. */
  readonly meaning?: string;
  /** Devices that wait for their execution. */
  readonly waiting: number;
  /** How far a rollout with a rate is. */
  readonly pace?: RolloutPace;
  /** Nobody is given an execution any more: the end of the schedule has come. */
  readonly stopped?: boolean;
  /** What waits is being dropped: nobody of it gets an execution any more. */
  readonly clearing?: boolean;
  /** Pending executions are being cancelled. */
  readonly canceling?: { readonly force: boolean; readonly cause: 'cancel' | 'abort' };
  /** Why it was cancelled. */
  readonly reason?: { readonly code: string; readonly comment?: string };
  readonly forceCanceled?: boolean;
}

export interface Walk {
  /** The index of the target. */
  readonly target: number;
  /** Where the list of its devices goes on. */
  readonly cursor?: string;
  /** When it began, ms. */
  readonly sinceMs: number;
  /** Since when a group that it needs is not where it was: it was moved, which is heard of soon, or removed. */
  readonly heldSinceMs?: number;
}

export const NO_PROGRESS: JobProgress = { waiting: 0 };
