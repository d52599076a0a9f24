import { useRef } from 'react';
import type { LatestValue } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './device-page.module.css';
import { MetricChart } from './metric-chart.tsx';
import type { MetricSchemas } from './metric-schema.ts';
import { resolutionWords } from './resolution-words.ts';
import { TextTimeline } from './text-timeline.tsx';
import { windowAt, type TimeRange } from './time-range.ts';
import { useLiveTail } from './use-live-tail.ts';
import { usePlotColumns } from './use-plot-columns.ts';
import { useSeries } from './use-series.ts';

interface ChartsProps {
  readonly device: string;
  /** All metrics: a metric keeps its colour whatever else is shown. */
  readonly values: readonly LatestValue[];
  readonly shown: readonly LatestValue[];
  readonly schemas: MetricSchemas;
  readonly range: TimeRange;
  readonly onRange: (range: TimeRange) => void;
  readonly onReset: () => void;
}

/** The charts of the chosen metrics, all over the same range. */
export function Charts({ device, values, shown, schemas, range, onRange, onReset }: ChartsProps) {
  const { ticker } = useServices();
  const place = useRef<HTMLDivElement>(null);
  const columns = usePlotColumns(place, shown.length);
  const tail = useLiveTail(device);
  const texts = shown.filter(isOf('string')).map(({ metric }) => metric);
  const numeric = shown.map(({ metric }) => metric).filter((metric) => !texts.includes(metric));
  const series = useSeries({ device, numeric, text: texts, range, columns });
  const loaded = series.data;
  const loading = series.isPending || series.isPlaceholderData;
  const visible = series.isError && loaded === undefined ? [] : shown;
  const chartOf = ({ metric, value }: LatestValue) => (
    <MetricChart
      key={metric}
      metric={metric}
      kind={typeof value === 'boolean' ? 'boolean' : 'number'}
      colorIndex={values.findIndex((known) => known.metric === metric)}
      base={loaded?.columns.get(metric)}
      columnMs={loaded?.columnMs ?? 0}
      schema={schemas.get(metric)}
      tail={tail}
      range={range}
      loading={loading}
      onRange={onRange}
      onReset={onReset}
    />
  );
  return (
    <div ref={place} className={styles.body}>
      {series.error !== null && <ProblemNotice error={series.error} onRetry={() => void series.refetch()} />}
      <div className={styles.charts}>{visible.filter(isOf('number')).map(chartOf)}</div>
      <div className={styles.charts}>{visible.filter(isOf('boolean')).map(chartOf)}</div>
      <div className={styles.charts}>
        {visible.filter(isOf('string')).map(({ metric }) => (
          <TextTimeline
            key={metric}
            metric={metric}
            base={loaded?.texts.get(metric)}
            columnMs={loaded?.columnMs ?? 0}
            tail={tail}
            range={range}
          />
        ))}
      </div>
      <p className={styles.note} data-testid="resolution" data-resolution={loading ? '' : loaded?.resolution}>
        {shown.length === 0
          ? 'Press a value above to see its chart.'
          : loaded !== undefined &&
            `${resolutionWords(loaded.resolution, loaded.pointsFromMs, windowAt(range, ticker.exact()).toMs)} Drag over a chart to zoom in, double-click for the default range.`}
      </p>
    </div>
  );
}

function isOf(kind: 'number' | 'boolean' | 'string') {
  return ({ value }: LatestValue) => typeof value === kind;
}
