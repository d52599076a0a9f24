import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { encodeChunk } from './codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, dayFilePath, dayOf, HOUR_MS, openDayFileForWrite } from './day-file-schema.ts';
import type { HotCalls, HotLatestSeries, HotRead } from './hot-calls.ts';
import { concatColumns, lowerBound, sliceTime } from './query-columns.ts';
import { decodeDays, encodeDays, encodeHours, NO_DAYS, replaceDay } from './rollups/rollup-codec.ts';
import { concatRollups, foldPoints, sliceRollupRows, widenRollups } from './rollups/rollup-columns.ts';
import type { RollupColumns } from './rollups/rollup-columns.ts';
import { openRollupFileForWrite, periodOf } from './rollups/rollup-file.ts';
import type { PointColumns, PointValue } from './telemetry-queries.ts';

const PUT = 'INSERT OR REPLACE INTO rollup (period, series, generation, data) VALUES (?, ?, ?, ?)';

export type Pair = readonly [timeMs: number, value: PointValue];

/** Numbers only make a Float64Array, as in the store. */
export function columns(points: readonly Pair[]): PointColumns {
  const values = points.map(([, value]) => value);
  return {
    times: Float64Array.from(points, ([timeMs]) => timeMs),
    values: values.every((value) => typeof value === 'number') ? Float64Array.from(values) : values,
  };
}

export function pairs(points: PointColumns | undefined): Pair[] {
  if (points === undefined) throw new Error('there is no such metric in the answer');
  return Array.from(points.times, (timeMs, i) => [timeMs, points.values[i]!] as const);
}

// Each commit of rollups is synced: in memory, where the system has a folder for that.
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** For tests: a telemetry folder filled by hand, with a processor that answers from a map. */
export class StoreFixture implements Disposable {
  readonly telemetryDir = mkdtempSync(join(FOLDER, 'selsyn-query-'));
  /** Device -> metric -> what is hot of it. */
  readonly hotPoints = new Map<string, Map<string, { id: number; points: PointColumns }>>();
  readonly hotLatest = new Map<string, HotLatestSeries[]>();
  readonly calls: { readonly call: string; readonly argument: unknown }[] = [];
  daysVersion = 1;
  readonly #writers = new Map<number, DatabaseSync>();

  readonly hot: Pick<ThreadCaller<HotCalls>, 'call'> = {
    call: (call, argument) => {
      this.calls.push({ call, argument });
      // The generic signature cannot be met case by case: each branch returns what its call promises.
      return Promise.resolve(this.#answer(call, argument as never) as never);
    },
  };

  series(device: string, metric: string, id: number, hot: readonly Pair[] = []): void {
    const metrics = this.hotPoints.get(device) ?? new Map<string, { id: number; points: PointColumns }>();
    metrics.set(metric, { id, points: columns(hot) });
    this.hotPoints.set(device, metrics);
  }

  /** Commits a chunk for each day that the points touch; later calls are later writes. */
  chunk(series: number, points: readonly Pair[]): void {
    this.chunkColumns(series, columns(points));
  }

  chunkColumns(series: number, points: PointColumns): void {
    const { times } = points;
    for (let at = 0; at < times.length;) {
      const day = dayOf(times[at]!);
      const end = lowerBound(times, (day + 1) * 86_400_000, at);
      const part = concatColumns([sliceTime(points, times[at]!, times[end - 1]! + 1)]);
      this.write(day, (insert) =>
        insert(series, times[at]!, times[end - 1]!, end - at, encodeChunk(part.times, part.values, part.times.length)),
      );
      at = end;
    }
  }

  write(
    day: number,
    fill: (insert: (series: number, start: number, end: number, count: number, data: Uint8Array) => void) => void,
  ): void {
    const file = this.#writers.get(day) ?? openDayFileForWrite(this.telemetryDir, day, () => 1);
    this.#writers.set(day, file);
    const statement = file.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)');
    const mark = file.prepare(
      'INSERT INTO mark (series, progress, hours, generation) VALUES (?, 1, ?, 1) ON CONFLICT DO NOTHING',
    );
    file.exec('BEGIN');
    fill((series, start, end, count, data) => {
      statement.run(series, start, end, count, data);
      mark.run(series, ALL_HOURS | DAY_STALE);
    });
    file.exec('COMMIT');
  }

  /**
   * Writes the rollups of a series on a day, as the builder does: all hours but those of `stale`, and the day where there are none.
   *
   * @param points what the chunks of that day hold, merged
   */
  rollUp(series: number, day: number, points: PointColumns, stale = 0, generation = 1): void {
    const hours = foldPoints([points], HOUR_MS);
    const kept = [...hours.startsMs.keys()].filter((i) => (stale & (1 << ((hours.startsMs[i]! - day * DAY_MS) / HOUR_MS))) === 0);
    const rollups = concatRollups(kept.map((i) => sliceRollupRows(hours, i, i + 1)));
    const hourly = openRollupFileForWrite(this.telemetryDir, '1h', day);
    hourly.prepare(PUT).run(day, series, generation, encodeHours(rollups, day * DAY_MS));
    hourly.close();
    if (stale === 0) this.#writeDay(series, day, widenRollups(hours, DAY_MS), generation);
    const hoursLeft = stale === 0 ? 0 : stale | DAY_STALE;
    this.#writers
      .get(day)
      ?.prepare('UPDATE mark SET hours = ?, generation = ? WHERE series = ?')
      .run(hoursLeft, generation, series);
    this.daysVersion++;
  }

  #writeDay(series: number, day: number, rollups: RollupColumns, generation: number): void {
    const month = periodOf('1d', day);
    const daily = openRollupFileForWrite(this.telemetryDir, '1d', day);
    const known = daily.prepare('SELECT data FROM rollup WHERE period = ? AND series = ?').get(month, series);
    const before = known === undefined ? NO_DAYS : decodeDays(known['data'] as Uint8Array, month * DAY_MS);
    daily.prepare(PUT).run(month, series, 0, encodeDays(replaceDay(before, rollups, day * DAY_MS, generation), month * DAY_MS));
    daily.close();
  }

  /** Unlinks a day file, as the writer does with one that holds nothing any more. */
  removeDay(day: number): void {
    this.#writers.get(day)?.close();
    this.#writers.delete(day);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${dayFilePath(this.telemetryDir, day)}${suffix}`, { force: true });
  }

  /** Lets go the hours of a day, as retention does; the day stays. */
  removeHours(day: number): void {
    const hourly = openRollupFileForWrite(this.telemetryDir, '1h', day);
    hourly.prepare('DELETE FROM rollup WHERE period = ?').run(day);
    hourly.close();
    this.daysVersion++;
  }

  /** Closes the files; the next chunk opens them again. */
  closeDays(): void {
    for (const file of this.#writers.values()) file.close();
    this.#writers.clear();
  }

  [Symbol.dispose](): void {
    this.closeDays();
    rmSync(this.telemetryDir, { recursive: true, force: true });
  }

  #answer(call: string, argument: never): unknown {
    if (call === 'hotRead') return this.#read(argument);
    if (call === 'hotLatest') {
      const { devices }: { devices: readonly string[] } = argument;
      return {
        devices: devices.map((device) => ({ device, series: this.hotLatest.get(device) ?? [] })),
        daysVersion: this.daysVersion,
      };
    }
    return undefined;
  }

  #read(query: Parameters<HotCalls['hotRead']>[0]): HotRead {
    const series = [...(this.hotPoints.get(query.device) ?? [])]
      .filter(([metric]) => query.metrics === undefined || query.metrics.includes(metric))
      .map(([metric, { id, points }]) => ({ metric, id, ...sliceTime(points, query.fromMs, query.toMs) }));
    return { series, daysVersion: this.daysVersion, unrolledDays: [...this.#writers.keys()].sort((a, b) => a - b) };
  }
}
