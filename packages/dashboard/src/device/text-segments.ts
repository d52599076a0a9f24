import type { Point } from '../api/telemetry.ts';

/** A stretch of time in which a text metric had one value. */
export interface TextSegment {
  readonly value: string;
  readonly fromMs: number;
  /** Where the next value begins, where silence began, or the end of the window. */
  readonly toMs: number;
}

/**
 * Equal neighbours become one segment; after a longer silence than `silenceMs` nothing is known until the next point.
 * What lies outside of the window is left out, what reaches into it is cut.
 */
export function textSegments(points: readonly Point[], fromMs: number, toMs: number, silenceMs: number): TextSegment[] {
  const segments: TextSegment[] = [];
  const close = (value: string, startMs: number, lastSeenMs: number, nextMs: number) => {
    const endMs = nextMs - lastSeenMs > silenceMs ? lastSeenMs : Math.min(nextMs, toMs);
    if (endMs >= fromMs && startMs <= toMs) segments.push({ value, fromMs: Math.max(fromMs, startMs), toMs: endMs });
  };
  let open: { value: string; startMs: number; lastSeenMs: number } | undefined;
  for (const [timeMs, value] of points) {
    const label = String(value);
    if (open !== undefined && open.value === label && timeMs - open.lastSeenMs <= silenceMs) {
      open.lastSeenMs = timeMs;
      continue;
    }
    if (open !== undefined) close(open.value, open.startMs, open.lastSeenMs, timeMs);
    open = { value: label, startMs: timeMs, lastSeenMs: timeMs };
  }
  if (open !== undefined) close(open.value, open.startMs, open.lastSeenMs, Math.max(toMs, open.lastSeenMs));
  return segments;
}
