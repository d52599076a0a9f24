import type { Point } from '../api/telemetry.ts';

/** A stretch of time in which a text metric had one value. */
export interface TextSegment {
  readonly value: string;
  readonly fromMs: number;
  /** Where the next value begins, or the end of the window. */
  readonly toMs: number;
  /** Time of the last point with this value. */
  readonly lastSeenMs: number;
}

/** Equal neighbours become one segment; points outside of the window are left out, except the one that holds at its start. */
export function textSegments(points: readonly Point[], fromMs: number, toMs: number): TextSegment[] {
  const segments: { value: string; fromMs: number; toMs: number; lastSeenMs: number }[] = [];
  for (const [timeMs, value] of points) {
    if (timeMs > toMs) break;
    const label = String(value);
    const last = segments.at(-1);
    if (last !== undefined && last.value === label) {
      last.lastSeenMs = timeMs;
      continue;
    }
    if (last !== undefined) last.toMs = timeMs;
    segments.push({ value: label, fromMs: timeMs, toMs, lastSeenMs: timeMs });
  }
  return segments
    .filter((segment) => segment.toMs > fromMs)
    .map((segment) => ({ ...segment, fromMs: Math.max(fromMs, segment.fromMs) }));
}
