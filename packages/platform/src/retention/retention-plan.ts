import type { KeptBecause } from '../telemetry/upkeep-calls.ts';
import type { Level } from './retention-policy.ts';

/** Why something that is too old stays all the same. */
export type Blocked =
  | KeptBecause
  /** All of it that is too old is under legal hold. */
  | 'held'
  | 'not-archived'
  /** Finer points of the same days have to go first. */
  | 'finer-kept'
  /** What has to stay would have to be copied, and there is no room for the copy. */
  | 'no-room'
  /** It could not be done: the log says why. It is tried again. */
  | 'failed';

/** One file that would go, or become smaller. */
export interface PlannedStep {
  readonly level: Level;
  /** `days/2026-11-22.db`, or the key of an object of the archive. */
  readonly file: string;
  /** UTC dates, both inclusive. */
  readonly from: string;
  readonly to: string;
  /** All of it is unlinked, or what has to stay is copied. */
  readonly action: 'drop' | 'trim';
  readonly sizeBytes: number;
  /** Exact for `drop`; for `trim` by the share of its points. */
  readonly freesBytes: number;
  readonly blocked?: Blocked;
}

/** What would go now, oldest first. */
export interface RetentionPlan {
  readonly atMs: number;
  readonly steps: readonly PlannedStep[];
  /** Without what is blocked. */
  readonly freesBytes: number;
  /** Set: nothing goes, whatever the steps say. */
  readonly refused?: { readonly reason: 'clock'; readonly message: string };
}
