import type { LatestValue } from '../api/telemetry.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './device-page.module.css';
import { MetricChart } from './metric-chart.tsx';
import { TextTimeline } from './text-timeline.tsx';
import type { TimeRange } from './time-range.ts';
import { useLiveTail } from './use-live-tail.ts';
import { useSeries } from './use-series.ts';

interface ChartsProps {
  readonly device: string;
  /** All metrics: a metric keeps its colour whatever else is shown. */
  readonly values: readonly LatestValue[];
  readonly shown: readonly LatestValue[];
  readonly range: TimeRange;
  readonly onRange: (range: TimeRange) => void;
  readonly onReset: () => void;
}

/** The charts of the chosen metrics, all over the same range. */
export function Charts({ device, values, shown, range, onRange, onReset }: ChartsProps) {
  const tail = useLiveTail(device);
  const texts = shown.filter(isOf('string')).map(({ metric }) => metric);
  const numeric = shown.map(({ metric }) => metric).filter((metric) => !texts.includes(metric));
  const series = useSeries(device, numeric, texts, range, values.length > 0);
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
      everyMs={loaded?.everyMs ?? 0}
      tail={tail}
      range={range}
      loading={loading}
      onRange={onRange}
      onReset={onReset}
    />
  );
  return (
    <>
      {series.error !== null && <ProblemNotice error={series.error} onRetry={() => void series.refetch()} />}
      <div className={styles.charts}>{visible.filter(isOf('number')).map(chartOf)}</div>
      <div className={styles.charts}>{visible.filter(isOf('boolean')).map(chartOf)}</div>
      <div className={styles.charts}>
        {visible.filter(isOf('string')).map(({ metric }) => (
          <TextTimeline
            key={metric}
            metric={metric}
            base={loaded?.texts.get(metric)}
            everyMs={loaded?.everyMs ?? 0}
            tail={tail}
            range={range}
          />
        ))}
      </div>
      <p className={styles.note}>
        {shown.length === 0 ? 'Press a value above to see its chart.' : resolutionText(loaded?.every)}
      </p>
    </>
  );
}

function isOf(kind: 'number' | 'boolean' | 'string') {
  return ({ value }: LatestValue) => typeof value === kind;
}

function resolutionText(every: string | undefined): string {
  const how = every === undefined ? 'Every point is drawn.' : `Mean of each ${every}, with the band from minimum to maximum.`;
  return `${how} Drag over a chart to zoom in, double-click for the default range.`;
}
