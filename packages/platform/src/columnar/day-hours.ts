import { join } from 'node:path';
import { ChunkReader } from '../telemetry/chunk-reader.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { NO_POINTS, type Columns } from '../telemetry/query-columns.ts';
import { QueryPace } from '../telemetry/query-pace.ts';
import { SeriesWalk } from '../telemetry/query-walk.ts';
import { SeriesReader } from '../telemetry/series-reader.ts';
import { IdlePace, type Pace } from './idle-pace.ts';
import type { HourParquet, HoursRequest, LeftOutChunks, WrittenHours } from './parquet-files.ts';
import type { ParquetWriting } from './parquet-writing.ts';
import type { PointScanSource, SeriesRun } from './point-scan.ts';

/** The series of one type of devices, by device and metric: names as places in the lists of DaySeries. */
interface TypeSeries {
  readonly type: string | undefined;
  readonly ids: number[];
  readonly devices: number[];
  readonly metrics: number[];
}

/** More of them are counted, and not named. */
const NAMED_SERIES = 20;

/** Writes hours of a day file, each type of devices to a file of its own. Chunks that cannot be decoded are left out. */
export async function writeHours(
  request: Omit<HoursRequest, 'types'>,
  typeOf: ReadonlyMap<string, string>,
  writing: Pick<ParquetWriting, 'writeScan'>,
  idle: Pace = new IdlePace(),
): Promise<WrittenHours> {
  const { telemetryDir, day, hours, folder } = request;
  using reader = new ChunkReader({ telemetryDir });
  const { devices, metrics, types } = seriesOfDay(telemetryDir, reader, day, typeOf);
  const written: HourParquet[] = [];
  const leftOut = new LeftOut(devices, metrics);
  for (const hour of hours) {
    for (const series of types) {
      const fromMs = day * DAY_MS + hour * HOUR_MS;
      const source: PointScanSource = { devices, metrics, open: () => hourRuns({ reader, day, series, fromMs, idle, leftOut }) };
      const path = join(folder, `${String(hour).padStart(2, '0')}-${written.length}.parquet`);
      const facts = await writing.writeScan(source, path);
      if (facts !== undefined) written.push({ ...facts, hour, deviceType: series.type });
    }
  }
  return { files: written, leftOut: leftOut.found };
}

class LeftOut {
  readonly #devices: readonly string[];
  readonly #metrics: readonly string[];
  readonly #series = new Map<number, { readonly device: string; readonly metric: string }>();
  #count = 0;

  constructor(devices: readonly string[], metrics: readonly string[]) {
    this.#devices = devices;
    this.#metrics = metrics;
  }

  add(of: TypeSeries, place: number, chunks: number): void {
    this.#count += chunks;
    if (this.#series.size >= NAMED_SERIES) return;
    this.#series.set(of.ids[place]!, {
      device: this.#devices[of.devices[place]!]!,
      metric: this.#metrics[of.metrics[place]!]!,
    });
  }

  get found(): LeftOutChunks {
    return { count: this.#count, series: [...this.#series.values()] };
  }
}

function seriesOfDay(
  telemetryDir: string,
  reader: ChunkReader,
  day: number,
  typeOf: ReadonlyMap<string, string>,
): { readonly devices: string[]; readonly metrics: string[]; readonly types: readonly TypeSeries[] } {
  const stored = reader.series(day);
  const devices: string[] = [];
  const metrics: string[] = [];
  const metricPlaces = new Map<string, number>();
  const types = new Map<string | undefined, TypeSeries>();
  using catalog = new SeriesReader(telemetryDir);
  for (const { device, metric, id } of catalog.all()) {
    if (!stored.has(id)) continue;
    if (devices.at(-1) !== device) devices.push(device);
    let place = metricPlaces.get(metric);
    if (place === undefined) {
      metricPlaces.set(metric, (place = metrics.length));
      metrics.push(metric);
    }
    const type = typeOf.get(device);
    let series = types.get(type);
    if (series === undefined) types.set(type, (series = { type, ids: [], devices: [], metrics: [] }));
    series.ids.push(id);
    series.devices.push(devices.length - 1);
    series.metrics.push(place);
  }
  return { devices, metrics, types: [...types.values()] };
}

function* hourRuns(hour: {
  readonly reader: ChunkReader;
  readonly day: number;
  readonly series: TypeSeries;
  readonly fromMs: number;
  readonly idle: Pace;
  readonly leftOut: LeftOut;
}): Generator<SeriesRun> {
  const { reader, day, series, fromMs, idle, leftOut } = hour;
  const pace = new QueryPace({ clock: { monotonicMs: () => 0 }, maxPoints: Infinity });
  // Of one series: a walk may come to a chunk several times.
  const undecodable = new Set<number>();
  for (let i = 0; i < series.ids.length; i++) {
    const walk = new SeriesWalk({
      reader,
      pace,
      series: series.ids[i]!,
      hot: NO_POINTS,
      fromMs,
      toMs: fromMs + HOUR_MS,
      days: [day],
      onUndecodable: ({ id }) => undecodable.add(id),
    });
    for (let runs: Columns[] = []; walk.step(runs); runs = []) {
      for (const { times, values } of runs) yield { device: series.devices[i]!, metric: series.metrics[i]!, times, values };
    }
    if (undecodable.size > 0) leftOut.add(series, i, undecodable.size);
    undecodable.clear();
    idle.rest();
  }
}
