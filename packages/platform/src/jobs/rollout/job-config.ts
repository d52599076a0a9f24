/** How a job goes out, as it was asked for. All parts are optional; plain data, kept as JSON. */
export interface JobConfig {
  readonly rollout?: RolloutConfig;
  readonly abort?: AbortConfig;
  readonly timeout?: TimeoutConfig;
  readonly retry?: RetryConfig;
  readonly schedule?: ScheduleConfig;
}

/** How many devices a minute get their execution; without it as many as the platform can. */
export interface RolloutConfig {
  readonly maximumPerMinute?: number;
  readonly exponential?: ExponentialRate;
}

/** Begins at the base rate; each time the criterion is met once more, the rate grows by the factor. */
export interface ExponentialRate {
  readonly baseRatePerMinute: number;
  readonly incrementFactor: number;
  /** At least one; where there are both, whichever is met first. */
  readonly rateIncreaseCriteria: {
    readonly numberOfNotifiedThings?: number;
    readonly numberOfSucceededThings?: number;
  };
}

/** What may fail: a device says FAILED or REJECTED, the platform says TIMED_OUT. */
export type FailureType = 'FAILED' | 'REJECTED' | 'TIMED_OUT' | 'ALL';

export interface AbortConfig {
  readonly criteria: readonly AbortCriterion[];
}

/** Cancels the job once so many percent of the devices that are through with it have failed. */
export interface AbortCriterion {
  readonly failureType: FailureType;
  readonly action: 'CANCEL';
  /** Above 0, at most 100. */
  readonly thresholdPercentage: number;
  readonly minNumberOfExecutedThings: number;
}

export interface TimeoutConfig {
  /** An execution that is IN_PROGRESS for longer becomes TIMED_OUT. */
  readonly inProgressMinutes: number;
}

export interface RetryConfig {
  readonly criteria: readonly RetryCriterion[];
}

export interface RetryCriterion {
  readonly failureType: Exclude<FailureType, 'REJECTED'>;
  readonly numberOfRetries: number;
}

export interface ScheduleConfig {
  readonly startTimeMs?: number;
  readonly endTimeMs?: number;
  /** What becomes of executions that have not ended by then. Absent: STOP_ROLLOUT. */
  readonly endBehavior?: EndBehavior;
  /** Executions are given out, and begun, only in these. Empty or absent: at any time. */
  readonly maintenanceWindows?: readonly MaintenanceWindow[];
  /** An IANA name: of devices that have none of their own. Absent: UTC. */
  readonly timeZone?: string;
  /** The attribute of a device that names its time zone. Absent: `timeZone`. */
  readonly timeZoneAttribute?: string;
}

export type EndBehavior = 'STOP_ROLLOUT' | 'CANCEL' | 'FORCE_CANCEL';

export interface MaintenanceWindow {
  /** A cron expression of five fields (minute, hour, day, month, weekday), in the time zone of the device. */
  readonly startTime: string;
  readonly durationMinutes: number;
}

export const TARGET_SELECTIONS = ['snapshot', 'continuous'] as const;
export type TargetSelection = (typeof TARGET_SELECTIONS)[number];

export const JOB_STATUSES = ['SCHEDULED', 'IN_PROGRESS', 'CANCELED', 'COMPLETED', 'DELETION_IN_PROGRESS'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const DEFAULT_TIME_ZONE = 'UTC';
export const DEFAULT_TIME_ZONE_ATTRIBUTE = 'timeZone';
