import { useQuery, keepPreviousData } from '@tanstack/react-query';
import { memo, useMemo } from 'react';
import { fetchBuckets, type LatestValue, type Point } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { formatValue } from '../format/number-format.ts';
import { seriesColor } from '../theme/chart-colors.ts';
import { Age } from '../ui/age.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import { toNumber } from './chart-columns.ts';
import { longestSilenceMs } from './gaps.ts';
import styles from './metric-tiles.module.css';
import { planBuckets } from './query-plan.ts';
import { spanMs, windowAt, type TimeRange } from './time-range.ts';

interface MetricTilesProps {
  readonly device: string;
  readonly values: readonly LatestValue[];
  readonly range: TimeRange;
  readonly charted: ReadonlySet<string>;
  readonly onToggle: (metric: string) => void;
}

const SPARKLINE_PX = 200;
const NO_POINTS: readonly Point[] = [];

/** The latest value of every metric; pressing one puts its chart on the page or takes it away. */
export function MetricTiles({ device, values, range, charted, onToggle }: MetricTilesProps) {
  const { client, ticker } = useServices();
  const plan = planBuckets(spanMs(range), SPARKLINE_PX);
  const { data } = useQuery({
    queryKey: ['sparklines', device, range],
    queryFn: ({ signal }) => {
      const { fromMs, toMs } = windowAt(range, ticker.exact());
      const window = { device, metrics: [], fromMs: Math.floor(fromMs), toMs: Math.ceil(toMs), limit: 1_000_000 };
      return fetchBuckets(client, { ...window, every: plan.every, fn: 'last' }, signal);
    },
    placeholderData: keepPreviousData,
    refetchInterval: range.kind === 'live' ? Math.min(300_000, Math.max(5000, plan.everyMs)) : false,
  });
  return (
    <div className={styles.tiles} role="group" aria-label="Latest values">
      {values.map((value, index) => (
        <Tile
          key={value.metric}
          value={value}
          colorIndex={index}
          history={data?.get(value.metric) ?? NO_POINTS}
          silenceMs={longestSilenceMs(
            (data?.get(value.metric) ?? NO_POINTS).map(([timeMs]) => timeMs),
            plan.everyMs,
          )}
          live={range.kind === 'live'}
          charted={charted.has(value.metric)}
          onToggle={onToggle}
        />
      ))}
    </div>
  );
}

interface TileProps {
  readonly value: LatestValue;
  readonly colorIndex: number;
  readonly history: readonly Point[];
  /** A longer time between two points is a gap. */
  readonly silenceMs: number;
  readonly live: boolean;
  readonly charted: boolean;
  readonly onToggle: (metric: string) => void;
}

const Tile = memo(function Tile({ value, colorIndex, history, silenceMs, live, charted, onToggle }: TileProps) {
  const points = useMemo(() => {
    const all: readonly Point[] = live ? [...history, [value.timeMs, value.value]] : history;
    return all.flatMap(([x, y]) => {
      const number = toNumber(y);
      return number === undefined ? [] : [{ x, y: number }];
    });
  }, [history, live, value]);
  return (
    <button
      type="button"
      className={styles.tile}
      aria-pressed={charted}
      data-metric={value.metric}
      title={charted ? 'Hide the chart' : 'Show the chart'}
      onClick={() => onToggle(value.metric)}
    >
      <span className={styles.name}>
        <i style={{ background: charted ? seriesColor(colorIndex) : 'var(--line-strong)' }} aria-hidden="true" />
        <span>{value.metric}</span>
      </span>
      <span className={styles.value} data-kind={typeof value.value} data-testid="value">
        {formatValue(value.value)}
      </span>
      <span className={styles.spark}>
        {typeof value.value !== 'string' && (
          <Sparkline
            points={points}
            breakAfter={silenceMs}
            color={charted ? seriesColor(colorIndex) : 'var(--ink-faint)'}
            height={26}
          />
        )}
      </span>
      <span className={styles.age}>
        <Age timeMs={value.timeMs} />
      </span>
    </button>
  );
});
