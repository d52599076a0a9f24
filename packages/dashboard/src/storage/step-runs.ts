import type { PlannedStep } from '../api/retention.ts';

/** Steps one after the other that differ in nothing but their days. */
export interface StepRun extends Pick<PlannedStep, 'level' | 'isTrim' | 'blocked' | 'bytes' | 'freesBytes'> {
  readonly key: string;
  readonly files: number;
  /** From the first day to the last. */
  readonly span: { readonly from: string; readonly to: string };
}

/** The same plan in few lines: a hundred days of points are one. */
export function stepRuns(steps: readonly PlannedStep[]): readonly StepRun[] {
  const runs: StepRun[] = [];
  for (const { level, file, from, to, isTrim, bytes, freesBytes, blocked } of steps) {
    const last = runs.at(-1);
    if (last !== undefined && last.level === level && last.isTrim === isTrim && last.blocked === blocked) {
      runs[runs.length - 1] = {
        ...last,
        files: last.files + 1,
        bytes: last.bytes + bytes,
        freesBytes: last.freesBytes + freesBytes,
        span: { from: from < last.span.from ? from : last.span.from, to: to > last.span.to ? to : last.span.to },
      };
    } else runs.push({ key: `${level} ${file}`, level, isTrim, blocked, bytes, freesBytes, files: 1, span: { from, to } });
  }
  return runs;
}
