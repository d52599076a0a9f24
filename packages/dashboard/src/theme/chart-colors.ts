/** The theme's colours for a canvas, which cannot use CSS variables. */
export interface ChartColors {
  readonly ink: string;
  readonly grid: string;
  readonly limit: string;
  readonly series: readonly string[];
}

export const SERIES_COLORS = 8;

export function readChartColors(): ChartColors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: read('--ink-faint'),
    grid: read('--line'),
    limit: read('--warn'),
    series: Array.from({ length: SERIES_COLORS }, (_, i) => read(`--series-${i + 1}`)),
  };
}

/** The CSS variable of the n-th series. */
export function seriesColor(index: number): string {
  return `var(--series-${(index % SERIES_COLORS) + 1})`;
}
