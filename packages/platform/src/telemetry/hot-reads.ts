import type { BufferPoints, SortedPoints } from './buffer-points.ts';
import { DAY_MS } from './day-file-schema.ts';
import type { DayFiles } from './day-files.ts';
import type { DeviceTable } from './device-table.ts';
import type { HotCalls, HotLatest, HotLatestSeries, HotRead, HotSeries } from './hot-calls.ts';
import type { LatestValues } from './latest-values.ts';
import type { Memtable } from './memtable.ts';
import type { RollupFiles } from './rollups/rollup-files.ts';
import type { UnrolledDays } from './rollups/unrolled-days.ts';
import type { PointValue } from './telemetry-queries.ts';

export interface HotReadsParts {
  readonly memtable: Memtable;
  readonly points: BufferPoints;
  readonly devices: DeviceTable;
  readonly latest: LatestValues;
  readonly files: DayFiles;
  readonly rollupFiles: RollupFiles;
  readonly unrolled: UnrolledDays;
}

/** Answers what is in memory (hot-calls.ts). */
export class HotReads {
  readonly #parts: HotReadsParts;

  constructor(parts: HotReadsParts) {
    this.#parts = parts;
  }

  read(query: Parameters<HotCalls['hotRead']>[0]): HotRead {
    const device = this.#parts.devices.find(query.device);
    const wanted = query.metrics === undefined ? undefined : new Set(query.metrics);
    const series: HotSeries[] = [];
    device?.series.forEach((id, index) => {
      const metric = device.names[index]!;
      if (wanted === undefined || wanted.has(metric)) series.push({ metric, id, ...this.pointsOf(id, query.fromMs, query.toMs) });
    });
    return { series, ...this.state(query.fromMs, query.toMs) };
  }

  /** As in HotRead. */
  get daysVersion(): number {
    // Each of them only grows.
    return this.#parts.files.version + this.#parts.rollupFiles.version;
  }

  /** Of the files, as far as they matter to this time. */
  state(fromMs: number, toMs: number): Pick<HotRead, 'daysVersion' | 'unrolledDays'> {
    const { unrolled } = this.#parts;
    const unrolledDays = unrolled.all.filter((day) => day * DAY_MS < toMs && (day + 1) * DAY_MS > fromMs);
    return { daysVersion: this.daysVersion, unrolledDays };
  }

  latest(query: Parameters<HotCalls['hotLatest']>[0]): HotLatest {
    const { devices, latest } = this.#parts;
    const found = query.devices.map((name) => {
      const device = devices.find(name);
      const series = (device?.series ?? []).map((id, index): HotLatestSeries => {
        const newest = latest.newest(id);
        return {
          metric: device!.names[index]!,
          id,
          timeMs: newest?.timeMs ?? -1,
          value: newest?.value,
          lastDay: latest.lastDay(id),
          inStore: latest.mayBeInStore(id, newest),
        };
      });
      return { device: name, series };
    });
    return { devices: found, daysVersion: this.daysVersion };
  }

  /** Of one series, fromMs <= time < toMs: copies, in buffers of their own. */
  pointsOf(series: number, fromMs: number, toMs: number): Pick<HotSeries, 'times' | 'values'> {
    const { memtable, points } = this.#parts;
    const parts = memtable
      .buffersOf(series)
      .filter((buffer) => memtable.dayOf(buffer) * DAY_MS < toMs && (memtable.dayOf(buffer) + 1) * DAY_MS > fromMs)
      .sort((a, b) => memtable.dayOf(a) - memtable.dayOf(b))
      .map((buffer) => within(points.sorted(memtable, buffer), fromMs, toMs));
    const only = parts[0];
    if (parts.length === 1 && only !== undefined) return only;
    const times = new Float64Array(parts.reduce((sum, part) => sum + part.times.length, 0));
    let at = 0;
    for (const part of parts) {
      times.set(part.times, at);
      at += part.times.length;
    }
    if (parts.some((part) => !(part.values instanceof Float64Array))) {
      return { times, values: parts.flatMap((part): PointValue[] => [...part.values]) };
    }
    const values = new Float64Array(times.length);
    at = 0;
    for (const part of parts) {
      // Each of them is one: it was just looked.
      values.set(part.values as Float64Array, at);
      at += part.values.length;
    }
    return { times, values };
  }
}

/** A copy of the points with fromMs <= time < toMs. */
function within({ count, times, values }: SortedPoints, fromMs: number, toMs: number): Pick<HotSeries, 'times' | 'values'> {
  const start = lowerBound(times, count, fromMs);
  const end = lowerBound(times, count, toMs);
  return { times: times.slice(start, end), values: values.slice(start, end) };
}

function lowerBound(times: Float64Array, count: number, timeMs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
