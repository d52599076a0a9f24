import type { ClockVerdict } from './clock-trust.ts';
import type { LetGo } from './retention-memory.ts';
import type { RetentionPlan } from './retention-plan.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { PassReport } from './retention-runner.ts';
import type { StorageReport } from './storage-report.ts';

export interface RetentionStatus {
  readonly clock: ClockVerdict;
  /** Undefined: none since the start. */
  readonly lastPass: PassReport | undefined;
  /** Newest first. */
  readonly letGo: readonly LetGo[];
}

/** What the upkeep thread answers of retention. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type RetentionCalls = {
  /** What would go now; by other policies than those that are stored, where some are given. */
  retentionPlan(query: { readonly policies?: readonly RetentionPolicy[] }): Promise<RetentionPlan>;
  retentionRun(query: null): Promise<PassReport>;
  retentionStatus(query: { readonly letGo: number }): RetentionStatus;
  /** Policies or holds have changed: answered once nothing is done any more that was planned before. */
  retentionChanged(query: null): Promise<void>;
  /** The clock is right, though it has jumped. */
  confirmClock(query: null): void;
  storage(query: null): Promise<StorageReport>;
};
