import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatAxis } from '../format/number-format.ts';
import type { ChartColumns } from './chart-columns.ts';
import { isolatedPoints } from './isolated-points.ts';
import { LABEL_DISTANCES, timeLabels } from './time-labels.ts';

export interface ChartViewOptions {
  readonly kind: 'number' | 'boolean';
  readonly color: string;
  readonly ink: string;
  readonly grid: string;
  readonly font: string;
  /** Of the lines at the ends of the range. */
  readonly limit: string;
  readonly widthPx: number;
  /** The row under the cursor, or none. */
  readonly onCursor: (row: number | undefined) => void;
  readonly onZoom: (fromMs: number, toMs: number) => void;
  readonly onReset: () => void;
}

export const CHART_HEIGHT = { number: 188, boolean: 92 } as const;

/** Charts of one page show the same moment under the cursor; a drag stays with the chart it began in. */
const CURSOR_SYNC = { key: 'device', filters: { sub: (type: string) => type === 'mousemove' || type === 'mouseleave' } };

/** One metric drawn by uPlot, with the lines of its range where the device type gives one. */
export class ChartView {
  readonly #plot: uPlot;
  readonly #options: ChartViewOptions;
  #limits: readonly number[] = [];

  constructor(parent: HTMLElement, options: ChartViewOptions) {
    this.#options = options;
    this.#plot = new uPlot(this.#config(), [[], []], parent);
  }

  /** @param limits values at which a line is drawn, where they are in view */
  draw(columns: ChartColumns, fromMs: number, toMs: number, limits: readonly number[] = []): void {
    this.#limits = limits;
    const data: uPlot.AlignedData = [[...columns.times], [...columns.values]];
    this.#plot.batch(() => {
      this.#plot.setData(data, false);
      this.#plot.setScale('x', { min: fromMs, max: toMs });
    });
  }

  resize(widthPx: number): void {
    if (widthPx > 0 && widthPx !== this.#plot.width)
      this.#plot.setSize({ width: widthPx, height: CHART_HEIGHT[this.#options.kind] });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #config(): uPlot.Options {
    const { kind, color, ink, grid, font, widthPx, onReset } = this.#options;
    const stepped = kind === 'boolean' ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    const paths = stepped === undefined ? {} : { paths: stepped };
    const lines = { stroke: grid, width: 1 };
    return {
      width: Math.max(widthPx, 100),
      height: CHART_HEIGHT[kind],
      ms: 1,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { range: kind === 'boolean' ? [-0.2, 1.2] : rangeOf } },
      axes: [
        {
          stroke: ink,
          font,
          space: 70,
          incrs: [...LABEL_DISTANCES],
          size: 28,
          gap: 4,
          grid: lines,
          ticks: { ...lines, size: 4 },
          values: (_plot, splits, _axis, _space, incr) => timeLabels(splits, incr),
        },
        {
          stroke: ink,
          font,
          size: axisSize,
          gap: 4,
          grid: lines,
          ticks: { show: false },
          ...(kind === 'boolean'
            ? { splits: [0, 1], values: () => ['false', 'true'] }
            : { space: 30, values: (_plot: uPlot, splits: number[]) => formatAxis(splits) }),
        },
      ],
      series: [
        {},
        {
          scale: 'y',
          stroke: color,
          width: 1.5,
          ...paths,
          ...(kind === 'boolean' ? { fill: `${color}33` } : {}),
          points: { size: 4, fill: color, filter: isolatedPoints, ...(kind === 'boolean' ? { show: () => false } : {}) },
        },
      ],
      cursor: {
        y: false,
        points: { size: 7 },
        drag: { x: true, y: false, setScale: false, dist: 6 },
        sync: CURSOR_SYNC,
        bind: { dblclick: () => () => (onReset(), null) },
      },
      hooks: {
        drawAxes: [(plot) => this.#drawLimits(plot)],
        setCursor: [(plot) => this.#cursorMoved(plot)],
        setSelect: [(plot) => this.#selected(plot)],
      },
    };
  }

  #drawLimits({ ctx, bbox, scales, valToPos }: uPlot): void {
    const { min = 0, max = 0 } = scales['y'] ?? {};
    ctx.save();
    ctx.strokeStyle = this.#options.limit;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([4 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    for (const limit of this.#limits) {
      if (min === null || max === null || limit <= min || limit >= max) continue;
      const y = Math.round(valToPos(limit, 'y', true));
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  #cursorMoved(plot: uPlot): void {
    const { left, idx } = plot.cursor;
    this.#options.onCursor(left === undefined || left < 0 || idx === null ? undefined : idx);
  }

  #selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width <= 0) return;
    const fromMs = plot.posToVal(left, 'x');
    const toMs = plot.posToVal(left + width, 'x');
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#options.onZoom(fromMs, toMs);
  }
}

/** As wide as the longest label, in steps: the charts of a page mostly stand under each other. */
function axisSize(_plot: uPlot, labels: readonly string[] | null): number {
  const longest = (labels ?? []).reduce((length, label) => Math.max(length, label.length), 0);
  return Math.max(58, Math.ceil((longest * 6.4 + 14) / 12) * 12);
}

/** Room above and below; a constant line lies in the middle. */
function rangeOf(_plot: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null) return [0, 1];
  if (low === high) {
    const room = low === 0 ? 1 : Math.abs(low) * 0.05;
    return [low - room, high + room];
  }
  const room = (high - low) * 0.08;
  return [low - room, high + room];
}
