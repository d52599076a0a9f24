import { useQuery, keepPreviousData } from '@tanstack/react-query';
import { memo, useMemo } from 'react';
import { fetchPlot, type LatestValue, type Point } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { formatValue } from '../format/number-format.ts';
import { seriesColor } from '../theme/chart-colors.ts';
import { Age } from '../ui/age.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import { toNumber } from './chart-columns.ts';
import { longestSilenceMs } from './gaps.ts';
import styles from './metric-tiles.module.css';
import { isOutOfRange, rangeWords, type MetricSchemas } from './metric-schema.ts';
import { plotWindow, refetchEveryMs } from './plot-window.ts';
import { endsNow, isKnown, spanMs, windowAt, type TimeRange } from './time-range.ts';

interface MetricTilesProps {
  readonly device: string;
  readonly values: readonly LatestValue[];
  readonly schemas: MetricSchemas;
  readonly range: TimeRange;
  readonly charted: ReadonlySet<string>;
  readonly onToggle: (metric: string) => void;
}

const SPARKLINE_COLUMNS = 80;
/** So many columns without a point are still a line. */
const WIDEST_GAP_COLUMNS = 3;
const NO_POINTS: readonly Point[] = [];

/** The latest value of every metric; pressing one puts its chart on the page or takes it away. */
export function MetricTiles({ device, values, schemas, range, charted, onToggle }: MetricTilesProps) {
  const { client, ticker } = useServices();
  const windowMs = spanMs(range, ticker.exact());
  const { data } = useQuery({
    queryKey: ['sparklines', device, range],
    queryFn: async ({ signal }) => {
      const { fromMs, toMs } = windowAt(range, ticker.exact());
      const window = plotWindow(fromMs, toMs, SPARKLINE_COLUMNS, 0);
      return (await fetchPlot(client, { device, metrics: [], ...window, method: 'lttb' }, signal)).series;
    },
    enabled: isKnown(range),
    placeholderData: keepPreviousData,
    refetchInterval: endsNow(range) ? refetchEveryMs(windowMs, SPARKLINE_COLUMNS) : false,
  });
  return (
    <div className={styles.tiles} role="group" aria-label="Latest values">
      {values.map((value, index) => (
        <Tile
          key={value.metric}
          value={value}
          unit={schemas.get(value.metric)?.unit}
          wrong={wrongWords(value, schemas)}
          colorIndex={index}
          history={data?.get(value.metric) ?? NO_POINTS}
          silenceMs={longestSilenceMs(
            (data?.get(value.metric) ?? NO_POINTS).map(([timeMs]) => timeMs),
            (windowMs / SPARKLINE_COLUMNS) * WIDEST_GAP_COLUMNS,
          )}
          live={endsNow(range)}
          charted={charted.has(value.metric)}
          onToggle={onToggle}
        />
      ))}
    </div>
  );
}

interface TileProps {
  readonly value: LatestValue;
  readonly unit: string | undefined;
  /** How the value does not fit the device type; undefined where it does. */
  readonly wrong: string | undefined;
  readonly colorIndex: number;
  readonly history: readonly Point[];
  /** A longer time between two points is a gap. */
  readonly silenceMs: number;
  readonly live: boolean;
  readonly charted: boolean;
  readonly onToggle: (metric: string) => void;
}

function wrongWords(value: LatestValue, schemas: MetricSchemas): string | undefined {
  const schema = schemas.get(value.metric);
  if (!isOutOfRange(value, schema)) return undefined;
  return schema === undefined ? 'Out of the range that the device type gives it' : `It should be ${rangeWords(schema)}`;
}

const Tile = memo(function Tile({ value, unit, wrong, colorIndex, history, silenceMs, live, charted, onToggle }: TileProps) {
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
        {wrong !== undefined && (
          <em title={wrong} data-testid="out-of-range">
            out of range
          </em>
        )}
      </span>
      <span className={styles.value} data-kind={typeof value.value} data-wrong={wrong !== undefined}>
        <span data-testid="value">{formatValue(value.value)}</span>
        {unit !== undefined && typeof value.value === 'number' && <small>{unit}</small>}
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
