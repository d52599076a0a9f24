import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useServices } from '../app/services.ts';
import { loadSeries } from './load-series.ts';
import { refetchEveryMs } from './plot-window.ts';
import { endsNow, isKnown, spanMs, windowAt, type TimeRange } from './time-range.ts';

interface SeriesOptions {
  readonly device: string;
  readonly numeric: readonly string[];
  readonly text: readonly string[];
  readonly range: TimeRange;
  /** Of the plot, in pixels; undefined until it is known. */
  readonly columns: number | undefined;
}

/** The fetched part of a device's charts; a range that ends now is fetched again from time to time. */
export function useSeries({ device, numeric, text, range, columns = 0 }: SeriesOptions) {
  const { client, ticker } = useServices();
  return useQuery({
    queryKey: ['series', device, numeric, text, range, columns],
    queryFn: ({ signal }) => loadSeries(client, { device, numeric, text, ...windowAt(range, ticker.exact()), columns }, signal),
    enabled: columns > 0 && isKnown(range),
    placeholderData: keepPreviousData,
    structuralSharing: false,
    gcTime: 60_000,
    refetchInterval: endsNow(range) ? refetchEveryMs(spanMs(range, ticker.exact()), columns) : false,
  });
}
