import { useSyncExternalStore } from 'react';
import type { Point } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { seriesColor } from '../theme/chart-colors.ts';
import { longestSilenceMs } from './gaps.ts';
import type { LiveTail } from './live-tail.ts';
import { textSegments } from './text-segments.ts';
import styles from './text-timeline.module.css';
import { endsNow, windowAt, type TimeRange } from './time-range.ts';

interface TextTimelineProps {
  readonly metric: string;
  readonly base: readonly Point[] | undefined;
  /** What a pixel of the fetched part stands for. */
  readonly columnMs: number;
  readonly tail: LiveTail;
  readonly range: TimeRange;
}

const ROWS = 6;
/** Of the strip's width. */
const ROOM_FOR_A_LABEL = 0.07;
/** So many pixels without a point are no silence. */
const WIDEST_GAP_PX = 2;
const NONE: readonly Point[] = [];

/** A text metric: a strip of what it said when, and its last changes as a table. */
export function TextTimeline({ metric, base = NONE, columnMs, tail, range }: TextTimelineProps) {
  const { ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  useSyncExternalStore(tail.subscribe, tail.version);
  const { fromMs, toMs } = windowAt(range, Math.max(nowMs, ticker.exact()));
  const lastMs = base.at(-1)?.[0] ?? -Infinity;
  const live = endsNow(range) ? tail.points(metric).filter(([timeMs]) => timeMs > lastMs) : NONE;
  const points = [...base, ...live];
  const silenceMs = longestSilenceMs(
    points.map(([timeMs]) => timeMs),
    columnMs * WIDEST_GAP_PX,
  );
  const segments = textSegments(points, fromMs, toMs, silenceMs);
  const colors = new Map(
    [...new Set(segments.map((segment) => segment.value))].sort().map((value, i) => [value, seriesColor(i)]),
  );
  const share = (ms: number) => `${((ms / (toMs - fromMs)) * 100).toFixed(3)}%`;
  return (
    <figure className={styles.timeline} data-chart={metric}>
      <figcaption className={styles.caption}>{metric}</figcaption>
      <div className={styles.strip} aria-hidden="true">
        {segments.map((segment) => (
          <span
            key={segment.fromMs}
            title={`${segment.value}\n${formatTime(segment.fromMs)}`}
            style={{
              left: share(segment.fromMs - fromMs),
              width: share(segment.toMs - segment.fromMs),
              background: colors.get(segment.value),
            }}
          >
            {segment.toMs - segment.fromMs > (toMs - fromMs) * ROOM_FOR_A_LABEL && segment.value}
          </span>
        ))}
      </div>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Since</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {segments
            .slice(-ROWS)
            .reverse()
            .map((segment) => (
              <tr key={segment.fromMs}>
                <td>{formatTime(segment.fromMs)}</td>
                <td>
                  <i style={{ background: colors.get(segment.value) }} aria-hidden="true" />
                  {segment.value}
                </td>
              </tr>
            ))}
          {segments.length === 0 && (
            <tr>
              <td colSpan={2}>No points in this range</td>
            </tr>
          )}
        </tbody>
      </table>
    </figure>
  );
}
