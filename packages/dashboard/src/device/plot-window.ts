/** A small resize asks nothing. */
const WIDTH_STEP_PX = 50;
const NARROWEST_PX = 100;
const WIDEST_PX = 4_000;
/** What of a chart is not its plot: the axis and the margins. */
const FRAME_PX = 92;

/** Columns of pixels that the plot of a chart has, in steps; screens with finer pixels have more. */
export function plotColumns(chartPx: number, pixelRatio: number): number {
  const columns = (chartPx - FRAME_PX) * Math.min(2, Math.max(1, pixelRatio));
  return Math.min(WIDEST_PX, Math.max(NARROWEST_PX, Math.ceil(columns / WIDTH_STEP_PX) * WIDTH_STEP_PX));
}

export interface PlotWindow {
  readonly fromMs: number;
  readonly toMs: number;
  /** Columns in it. */
  readonly widthPx: number;
}

/**
 * The window, widened to whole columns: those of a window that moves stay where they are, and what is drawn does not flicker.
 *
 * @param aheadMs so much more at its end: a device's clock may be ahead
 */
export function plotWindow(fromMs: number, toMs: number, columns: number, aheadMs: number): PlotWindow {
  const columnMs = Math.max(1, Math.ceil((toMs - fromMs) / columns));
  const first = Math.floor(fromMs / columnMs);
  const end = Math.ceil((toMs + aheadMs) / columnMs);
  return { fromMs: first * columnMs, toMs: end * columnMs, widthPx: Math.min(10_000, Math.max(3, end - first)) };
}

/** How often a window that ends now is asked for again: the live feed is thinned, the store is not. */
export function refetchEveryMs(spanMs: number, columns: number): number {
  return Math.min(300_000, Math.max(30_000, spanMs / columns));
}
