/** What telemetry is kept as. `archive` counts only where there is one. */
export const LEVELS = ['raw', 'hourly', 'daily', 'archive'] as const;
export type Level = (typeof LEVELS)[number];

/** Whole days; null: for ever. A level that is missing is as a less specific policy has it. */
export type KeepDays = { readonly [level in Level]?: number | null };

/** How long telemetry is kept. It holds for series that all of its conditions fit. */
export interface RetentionPolicy {
  /** `[A-Za-z0-9:_.-]{1,64}`; `default` has no conditions and is always there. */
  readonly name: string;
  readonly deviceType?: string;
  /** The group and all below it. */
  readonly group?: string;
  /** A metric; `*` stands for any characters: `vibration.*`. */
  readonly metric?: string;
  readonly keepDays: KeepDays;
  readonly updatedAtMs: number;
}

/** What holds for one series: each level from the most specific policy that says something of it. */
export type KeptDays = Readonly<Record<Level, number | null>>;

/** Where nobody has said anything. */
export const DEFAULT_KEEP: KeptDays = { raw: 7, hourly: 90, daily: 1826, archive: null };
