import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { fetchPlot, type Series } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { wholeRange, type TimeRange } from './time-range.ts';

/** The fewest columns there are: each has its first and its last point. */
const COLUMNS = 3;

/** The range with its ends: for everything there is they are asked of the server. */
export function useKnownRange(device: string, range: TimeRange): TimeRange {
  const { client, ticker } = useServices();
  const { data } = useQuery({
    queryKey: ['extent', device],
    queryFn: async ({ signal }) => {
      const everything = { device, metrics: [], fromMs: undefined, toMs: undefined, widthPx: COLUMNS, method: 'm4' } as const;
      return wholeOf((await fetchPlot(client, everything, signal)).series, ticker.exact());
    },
    enabled: range.kind === 'all',
    placeholderData: keepPreviousData,
    // The same range for the same ends: what was made of it is kept.
    structuralSharing: true,
  });
  return range.kind === 'all' ? (data ?? range) : range;
}

function wholeOf(series: Series, nowMs: number): TimeRange {
  let [firstMs, lastMs] = [Infinity, -Infinity];
  for (const points of series.values()) {
    firstMs = Math.min(firstMs, points[0]?.[0] ?? Infinity);
    lastMs = Math.max(lastMs, points.at(-1)?.[0] ?? -Infinity);
  }
  return firstMs > lastMs ? wholeRange(nowMs, nowMs, nowMs) : wholeRange(firstMs, lastMs, nowMs);
}
