import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveIndex, LocalObject } from '../archive/archive-index.ts';
import type { ParquetFiles, SeriesPoints } from '../columnar/parquet-files.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { isSelsynError } from '../kernel/errors.ts';
import { encodeRangeCursor } from '../telemetry/query-cursor.ts';
import type { TelemetryQueries } from '../telemetry/telemetry-queries.ts';

/** The last point that somebody has already. */
export interface ExportPlace {
  readonly device: DeviceId;
  readonly metric: string;
  readonly timeMs: number;
}

export interface ExportRange {
  /** In byte order. */
  readonly ids: readonly DeviceId[];
  /** Absent: all. */
  readonly metrics?: readonly string[] | undefined;
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** Only what comes behind it; `ids` begins with its device, where that is still there. */
  readonly after?: ExportPlace | undefined;
}

export interface ExportSources {
  readonly telemetry: Pick<TelemetryQueries, 'range'>;
  /** Undefined: nothing is archived. */
  readonly archive: ArchiveIndex | undefined;
  readonly parquet: ParquetFiles;
  /** A folder of its own: files that are made on the way. */
  readonly scratchDir: string;
}

/** Points that are in memory for one step. */
const POINTS_A_STEP = 10_000;
/** Devices whose first points are asked for at once. */
const AHEAD = 8;
/** Devices whose archived points are joined with the stored ones in one go. */
const DEVICES_A_JOIN = 2_000;
const MAX_TRIES = 5;

/**
 * The points of devices, of some of them none, sorted by device, metric and time, a bounded number at a time; what is archived and what is stored once each.
 * Where the archive has something of the range, a file of some thousand devices at a time is made on the way.
 */
export async function* exportPoints(
  sources: ExportSources,
  range: ExportRange,
  signal: AbortSignal,
): AsyncGenerator<readonly SeriesPoints[]> {
  const { archive } = sources;
  const span = { fromMs: range.fromMs, toMs: range.toMs };
  for (let from = 0; from < range.ids.length; from += DEVICES_A_JOIN) {
    signal.throwIfAborted();
    const some = { ...range, ids: range.ids.slice(from, from + DEVICES_A_JOIN) };
    // Each time: an export takes hours, and what it is yet to read may be archived meanwhile, and let go.
    if (archive?.inUse === true && archive.range(span).objects.length > 0) yield* joinedPoints(sources, archive, some, signal);
    else yield* storedPoints(sources.telemetry, some, signal);
  }
}

async function* storedPoints(
  telemetry: Pick<TelemetryQueries, 'range'>,
  { ids, metrics, fromMs, toMs, after }: ExportRange,
  signal: AbortSignal,
): AsyncGenerator<readonly SeriesPoints[]> {
  const ask = async (device: DeviceId, cursor: string | undefined) =>
    await telemetry.range(
      {
        device,
        ...(metrics !== undefined && { metrics }),
        fromMs,
        toMs,
        limit: POINTS_A_STEP,
        ...(cursor !== undefined && { cursor }),
      },
      signal,
    );
  const begin = (device: DeviceId) => {
    const cursor = after?.device === device ? encodeRangeCursor({ metric: after.metric, timeMs: after.timeMs + 1 }) : undefined;
    const answer = ask(device, cursor);
    // Looked at when it is the device's turn.
    answer.catch(() => undefined);
    return { device, answer };
  };
  const ahead: ReturnType<typeof begin>[] = [];
  for (let next = 0; next < ids.length || ahead.length > 0;) {
    while (ahead.length < AHEAD && next < ids.length) ahead.push(begin(ids[next++]!));
    const { device, answer } = ahead.shift()!; // one was put there
    let page = await answer;
    for (;;) {
      signal.throwIfAborted();
      const points = [...page.metrics]
        .filter(([, { times }]) => times.length > 0)
        .map(([metric, columns]) => ({ device, metric, ...columns }));
      yield points;
      if (page.cursor === undefined) break;
      page = await ask(device, page.cursor);
    }
  }
}

/** Joins what is stored with what is archived, in a file: of two points of the same time the stored one counts. */
async function* joinedPoints(
  sources: ExportSources,
  archive: ArchiveIndex,
  range: ExportRange,
  signal: AbortSignal,
): AsyncGenerator<readonly SeriesPoints[]> {
  const { parquet, telemetry, scratchDir } = sources;
  const { ids, fromMs, toMs, metrics, after } = range;
  await mkdir(scratchDir, { recursive: true });
  const name = randomUUID();
  const [stored, joined] = [join(scratchDir, `${name}-stored.parquet`), join(scratchDir, `${name}.parquet`)];
  const made = [stored, joined];
  try {
    const draft = await parquet.create(stored);
    try {
      for await (const points of storedPoints(telemetry, { ...range, after: undefined }, signal))
        if (points.length > 0) await draft.append(points);
      await draft.finish();
    } catch (error) {
      await draft.abandon();
      throw error;
    }
    // After that: points that are let go from the store were archived before.
    using held = await hold(archive, range, signal);
    const archived: string[] = [];
    for (const { path, hidden } of held.files) {
      if (hidden.length === 0) archived.push(path);
      else {
        // What is being erased is there no more, and what was stored of the device since then is.
        const without = join(scratchDir, `${name}-${made.length}.parquet`);
        made.push(without);
        await parquet.merge({ files: [path], path: without, where: { notDevices: hidden } }, signal);
        archived.push(without);
      }
    }
    const where = { devices: ids, ...(metrics !== undefined && { metrics }), fromMs, toMs };
    const files = [...archived, stored];
    const { rows } = await parquet.merge({ files, path: joined, where }, signal);
    if (rows === 0) return;
    for await (const points of parquet.read(joined)) {
      signal.throwIfAborted();
      const left = after === undefined ? points : points.flatMap((series) => behind(series, after));
      if (left.length > 0) yield left;
    }
  } finally {
    await Promise.all(made.map(async (path) => await rm(path, { force: true })));
  }
}

interface Held extends Disposable {
  readonly files: readonly { readonly path: string; readonly hidden: readonly string[] }[];
}

/** Files of all archived objects that may have something of the range, each with the devices that do not count in it any more. */
async function hold(archive: ArchiveIndex, { ids, fromMs, toMs }: ExportRange, signal: AbortSignal): Promise<Held> {
  for (let tries = 1; ; tries++) {
    const { objects } = archive.range({ fromMs, toMs, devices: ids });
    const wanted = new Set<string>(ids);
    const locals: LocalObject[] = [];
    try {
      for (const object of objects) locals.push(await archive.local(object, signal));
      return {
        files: locals.map(({ path }, n) => ({ path, hidden: objects[n]?.hidden.filter((device) => wanted.has(device)) ?? [] })),
        [Symbol.dispose]: () => {
          for (const local of locals) local[Symbol.dispose]();
        },
      };
    } catch (error) {
      for (const local of locals) local[Symbol.dispose]();
      // It was replaced since the manifest was read: the manifest says by what.
      if (!isSelsynError(error, 'archive.object-gone') || tries === MAX_TRIES) throw error;
    }
  }
}

/** The part of a series that comes behind a place. */
function behind(series: SeriesPoints, after: ExportPlace): readonly SeriesPoints[] {
  if (series.device !== after.device) return series.device > after.device ? [series] : [];
  if (series.metric !== after.metric)
    return Buffer.compare(Buffer.from(series.metric), Buffer.from(after.metric)) > 0 ? [series] : [];
  const start = series.times.findIndex((timeMs) => timeMs > after.timeMs);
  if (start === -1) return [];
  const { times, values } = series;
  return [
    {
      ...series,
      times: times.subarray(start),
      values: values instanceof Float64Array ? values.subarray(start) : values.slice(start),
    },
  ];
}
