import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useServices } from '../app/services.ts';
import { loadSeries } from './load-series.ts';
import { planQuery, refetchEveryMs } from './query-plan.ts';
import { spanMs, windowAt, type TimeRange } from './time-range.ts';
import { useSteppedWidth } from './use-stepped-width.ts';

/** The fetched part of a device's charts; a range that ends now is fetched again from time to time. */
export function useSeries(device: string, numeric: readonly string[], text: readonly string[], range: TimeRange, ready: boolean) {
  const { client, ticker } = useServices();
  const widthPx = useSteppedWidth();
  const plan = planQuery(spanMs(range), widthPx);
  const every = plan.kind === 'raw' ? 'raw' : plan.every;
  return useQuery({
    queryKey: ['series', device, numeric, text, range, every],
    queryFn: ({ signal }) =>
      loadSeries(client, { device, numeric, text, ...windowAt(range, ticker.exact()), plan, widthPx }, signal),
    enabled: ready,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    gcTime: 60_000,
    refetchInterval: range.kind === 'live' ? refetchEveryMs(plan) : false,
  });
}
