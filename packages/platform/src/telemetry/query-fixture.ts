import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { encodeChunk } from './codec/chunk-codec.ts';
import { dayFilePath, dayOf, openDayFileForWrite } from './day-file-schema.ts';
import type { HotCalls, HotLatestSeries, HotRead } from './hot-calls.ts';
import { concatColumns, lowerBound, sliceTime } from './query-columns.ts';
import type { PointColumns, PointValue } from './telemetry-queries.ts';

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

/** For tests: a telemetry folder filled by hand, with a processor that answers from a map. */
export class StoreFixture implements Disposable {
  readonly telemetryDir = mkdtempSync(join(tmpdir(), 'selsyn-query-'));
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
    const file = this.#writers.get(day) ?? openDayFileForWrite(this.telemetryDir, day);
    this.#writers.set(day, file);
    const statement = file.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)');
    file.exec('BEGIN');
    fill((series, start, end, count, data) => void statement.run(series, start, end, count, data));
    file.exec('COMMIT');
  }

  /** Unlinks a day file, as the writer does with one that holds nothing any more. */
  removeDay(day: number): void {
    this.#writers.get(day)?.close();
    this.#writers.delete(day);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${dayFilePath(this.telemetryDir, day)}${suffix}`, { force: true });
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
    return { series, daysVersion: this.daysVersion };
  }
}
