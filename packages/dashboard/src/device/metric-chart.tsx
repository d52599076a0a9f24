import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useLayoutEffect, useRef } from 'react';
import type { MetricSchema } from '../api/device-types.ts';
import { useServices } from '../app/services.ts';
import { readChartColors, seriesColor, SERIES_COLORS } from '../theme/chart-colors.ts';
import { useOnScreen } from '../ui/use-on-screen.ts';
import { clip, withLive, NO_COLUMNS, type ChartColumns } from './chart-columns.ts';
import { CHART_HEIGHT, ChartView } from './chart-view.ts';
import { longestSilenceMs, withGaps } from './gaps.ts';
import type { LiveTail } from './live-tail.ts';
import styles from './metric-chart.module.css';
import { readout } from './readout.ts';
import { endsNow, spanMs, windowAt, zoomRange, type TimeRange } from './time-range.ts';

interface MetricChartProps {
  readonly metric: string;
  readonly kind: 'number' | 'boolean';
  readonly colorIndex: number;
  readonly base: ChartColumns | undefined;
  /** What a pixel of the fetched part stands for. */
  readonly columnMs: number;
  /** What the device type says of it: its unit, and its range, of which the ends are drawn. */
  readonly schema: MetricSchema | undefined;
  readonly tail: LiveTail;
  readonly range: TimeRange;
  readonly loading: boolean;
  readonly onRange: (range: TimeRange) => void;
  readonly onReset: () => void;
}

/** A window that moved by less than a part of this has moved by less than a pixel. */
const WIDEST_PX = 1200;
/** So many pixels without a point are still a line. */
const WIDEST_GAP_PX = 2;

/** The longer the window, the less a new point changes it: ten times a second for five minutes, once for an hour. */
function redrawEveryMs(windowMs: number): number {
  return Math.min(1000, Math.max(100, windowMs / 3600));
}

/** A chart of one metric. React draws its frame; the canvas is drawn by hand, at a bounded rate. */
export function MetricChart(props: MetricChartProps) {
  const { metric, kind, colorIndex, base, columnMs, schema, tail, range, loading } = props;
  const { ticker } = useServices();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const place = useRef<HTMLDivElement>(null);
  const words = useRef<HTMLSpanElement>(null);
  const view = useRef<ChartView | undefined>(undefined);
  const shown = useRef<{ columns: ChartColumns; row: number | undefined }>({ columns: NO_COLUMNS, row: undefined });
  const handlers = useRef(props);
  useLayoutEffect(() => {
    handlers.current = props;
  });
  const onScreen = useOnScreen(place);

  useEffect(() => {
    const parent = place.current;
    if (parent === null) return undefined;
    const colors = readChartColors();
    const chart = new ChartView(parent, {
      kind,
      color: colors.series[colorIndex % SERIES_COLORS] ?? colors.ink,
      ink: colors.ink,
      grid: colors.grid,
      limit: colors.limit,
      font: `11px ${getComputedStyle(parent).fontFamily}`,
      widthPx: parent.clientWidth,
      onCursor: (row) => {
        shown.current.row = row;
        if (words.current !== null) words.current.textContent = readout(shown.current.columns, row, kind);
      },
      onZoom: (fromMs, toMs) => handlers.current.onRange(zoomRange(fromMs, toMs)),
      onReset: () => handlers.current.onReset(),
    });
    view.current = chart;
    const resize = new ResizeObserver(() => chart.resize(parent.clientWidth));
    resize.observe(parent);
    return () => {
      resize.disconnect();
      chart.destroy();
      view.current = undefined;
    };
  }, [kind, colorIndex, scheme]);

  const { min, max } = schema ?? {};

  useEffect(() => {
    if (!onScreen) return undefined;
    const limits = [min, max].filter((end) => end !== undefined);
    const draw = () => {
      const { fromMs, toMs } = windowAt(range, ticker.exact());
      const live = endsNow(range) ? tail.points(metric) : [];
      const all = clip(withLive(base ?? NO_COLUMNS, live), fromMs, toMs);
      const columns = withGaps(all, longestSilenceMs(all.times, columnMs * WIDEST_GAP_PX));
      shown.current.columns = columns;
      view.current?.draw(columns, fromMs, toMs, limits);
      if (words.current !== null) words.current.textContent = readout(columns, shown.current.row, kind);
      if (place.current !== null) place.current.dataset['rows'] = String(columns.times.length);
    };
    draw();
    if (!endsNow(range)) return undefined;
    const windowMs = spanMs(range, ticker.exact());
    let drawnVersion = tail.version();
    let drawnMs = ticker.exact();
    const timer = setInterval(() => {
      const moved = ticker.exact() - drawnMs >= windowMs / WIDEST_PX;
      if (!moved && tail.version() === drawnVersion) return;
      drawnVersion = tail.version();
      drawnMs = ticker.exact();
      draw();
    }, redrawEveryMs(windowMs));
    return () => clearInterval(timer);
  }, [base, columnMs, min, max, tail, metric, kind, range, onScreen, scheme, colorIndex, ticker]);

  const isEmpty = !loading && base !== undefined && base.times.length === 0 && tail.points(metric).length === 0;
  return (
    <figure className={styles.chart} data-chart={metric}>
      <figcaption className={styles.caption}>
        <i style={{ background: seriesColor(colorIndex) }} aria-hidden="true" />
        <span className={styles.name} title={metric}>
          {metric}
          {schema?.unit !== undefined && <small>{schema.unit}</small>}
        </span>
        <span ref={words} className={styles.readout} data-testid="readout" />
      </figcaption>
      <div
        ref={place}
        role="img"
        aria-label={`Chart of ${metric}`}
        style={{ height: CHART_HEIGHT[kind] }}
        className={styles.canvas}
        data-loading={loading}
      />
      {isEmpty && <p className={styles.empty}>No points in this range</p>}
    </figure>
  );
}
