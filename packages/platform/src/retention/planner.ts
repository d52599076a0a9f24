import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { KeptBecause } from '../telemetry/upkeep-calls.ts';
import type { Blocked, PlannedStep } from './retention-plan.ts';
import type { KeptDays } from './retention-policy.ts';
import { classIndex, isHeld, type SeriesClass } from './series-classes.ts';

export type StoredLevel = 'raw' | 'hourly' | 'daily';

/** A file that retention may let go, whole or in part. */
export interface RetainedFile {
  readonly level: StoredLevel;
  /** As the plan names it. */
  readonly file: string;
  /** The UTC days that it is for: [fromDay, toDay). */
  readonly fromDay: number;
  readonly toDay: number;
  readonly sizeBytes: number;
  /** Of these, what a copy would not have, whatever is copied: the write-ahead log. */
  readonly looseBytes?: number;
  /** failed: it could not be found out what is in it. */
  readonly keptBecause?: KeptBecause | 'not-archived' | 'failed' | undefined;
  /**
   * How much of it is of which class, in any unit. Undefined: all of it is of one class, and not held; needed only where
   * `needsShares` says so.
   */
  readonly shares?: ReadonlyMap<SeriesClass, number> | undefined;
}

export interface PlanInput {
  readonly nowMs: number;
  /** Of PolicyOrder; the first is that of files without shares. */
  readonly classes: readonly KeptDays[];
  /** There is one class, whatever series there may be, and nothing is held: a file needs no shares. */
  readonly uniform: boolean;
}

/** A step, with the file it is about. */
export interface FileStep<F extends RetainedFile = RetainedFile> {
  readonly planned: PlannedStep;
  readonly file: F;
}

/**
 * True when points up to the end of `toDay` are older than they are kept for. A file is let go as a whole, once the newest
 * point that it can have is old enough.
 */
export function isOver(toDay: number, keepDays: number | null, nowMs: number): boolean {
  return keepDays !== null && (toDay + keepDays) * DAY_MS <= nowMs;
}

/** Whether it must be known what is in a file: some of it may go, and some may have to stay. */
export function needsShares(
  { level, toDay }: Pick<RetainedFile, 'level' | 'toDay'>,
  { nowMs, classes, uniform }: PlanInput,
): boolean {
  // Where there are several classes a series may have come since they were found, of one that nothing had before.
  return !uniform && classes.some((kept) => isOver(toDay, kept[level], nowMs));
}

/** What goes now of each file, oldest first, finer before coarser. */
export function planFiles<F extends RetainedFile>(files: readonly F[], input: PlanInput): readonly FileStep<F>[] {
  const steps: FileStep<F>[] = [];
  for (const level of ['raw', 'hourly', 'daily'] as const) {
    const ofLevel = files.filter((file) => file.level === level).sort((a, b) => a.fromDay - b.fromDay);
    for (const file of ofLevel) {
      const planned = planFile(file, input, steps);
      if (planned !== undefined) steps.push({ planned, file });
    }
  }
  return steps;
}

function planFile(file: RetainedFile, input: PlanInput, finer: readonly FileStep[]): PlannedStep | undefined {
  const { nowMs, classes } = input;
  const shares = file.shares ?? new Map([[0, 1]]);
  let [total, going, heldBack] = [0, 0, 0];
  for (const [found, share] of shares) {
    total += share;
    const kept = classes[classIndex(found)];
    if (kept === undefined || !isOver(file.toDay, kept[file.level], nowMs)) continue;
    if (isHeld(found)) heldBack += share;
    else going += share;
  }
  if (going + heldBack === 0) return undefined;
  const blocked = going === 0 ? 'held' : blockOf(file, finer);
  const part = going === 0 ? heldBack : going;
  return {
    level: file.level,
    file: file.file,
    from: dateOf(file.fromDay),
    to: dateOf(file.toDay - 1),
    action: part === total ? 'drop' : 'trim',
    sizeBytes: file.sizeBytes,
    freesBytes: part === total ? file.sizeBytes : freedByTrim(file, part / total),
    ...(blocked !== undefined && { blocked }),
  };
}

function freedByTrim({ sizeBytes, looseBytes = 0 }: RetainedFile, share: number): number {
  return Math.floor(looseBytes + (sizeBytes - looseBytes) * share);
}

/** Coarser points go only after the finer ones of the same days: queries would say that there are none. */
function blockOf({ keptBecause, level, fromDay, toDay }: RetainedFile, finer: readonly FileStep[]): Blocked | undefined {
  if (keptBecause !== undefined) return keptBecause;
  const waits = finer.some(
    ({ planned, file }) =>
      file.level !== level &&
      planned.blocked !== undefined &&
      planned.blocked !== 'held' &&
      file.fromDay < toDay &&
      file.toDay > fromDay,
  );
  return waits ? 'finer-kept' : undefined;
}

export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, -14);
}
