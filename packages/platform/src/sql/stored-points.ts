import type { PointScanSource, SeriesRun } from '../columnar/point-scan.ts';
import type { ChunkReader } from '../telemetry/chunk-reader.ts';
import type { Columns } from '../telemetry/query-columns.ts';
import type { QueryPace } from '../telemetry/query-pace.ts';
import { SeriesWalk } from '../telemetry/query-walk.ts';
import type { HotPoints } from './hot-points.ts';
import type { SeriesList } from './series-list.ts';
import type { TimeSpan } from './time-spans.ts';

export interface StoredPointsParts {
  readonly list: SeriesList;
  readonly reader: ChunkReader;
  readonly hot: HotPoints;
  readonly pace: QueryPace;
  /** What of the time of a series is read here. */
  readonly choose: (spans: readonly TimeSpan[]) => readonly TimeSpan[];
}

/** The points of the day files and of the memory, each once, as a source of a scan. */
export function storedPoints(parts: StoredPointsParts): PointScanSource {
  const { devices, metrics } = parts.list;
  return { devices, metrics, types: parts.list.types(), open: () => runs(parts) };
}

function* runs({ list, reader, hot, pace, choose }: StoredPointsParts): Generator<SeriesRun> {
  // Series share their spans.
  const chosen = new Map<readonly TimeSpan[], readonly TimeSpan[]>();
  for (const { id, device, metric, spans } of list.series) {
    let read = chosen.get(spans);
    if (read === undefined) chosen.set(spans, (read = choose(spans)));
    for (const { fromMs, toMs } of read) {
      const days = reader.days(fromMs, toMs);
      const walk = new SeriesWalk({ reader, pace, series: id, hot: hot.of(id), fromMs, toMs, days });
      for (let found: Columns[] = []; walk.step(found); found = []) {
        for (const { times, values } of found) yield { device, metric, times, values };
      }
    }
  }
}
