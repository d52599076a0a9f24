import { useLayoutEffect, useState, type RefObject } from 'react';
import { plotColumns } from './plot-window.ts';

/** How many columns of pixels the charts in a place have; undefined until it is drawn. All are about equally wide. */
export function usePlotColumns(place: RefObject<HTMLElement | null>, charts: number): number | undefined {
  const [columns, setColumns] = useState<number>();
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const measure = () => {
      const chartPx = element.querySelector('[data-chart]')?.clientWidth ?? 0;
      if (chartPx > 0) setColumns(plotColumns(chartPx, window.devicePixelRatio));
    };
    measure();
    const resize = new ResizeObserver(measure);
    resize.observe(element);
    return () => resize.disconnect();
  }, [place, charts]);
  return columns;
}
