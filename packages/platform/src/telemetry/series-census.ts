import type {
  CardinalityReport,
  CardinalityUsage,
  DeviceSeries,
  RefusedSeries,
  SeriesCount,
  SuspectNames,
} from './cardinality-report.ts';
import type { Device, DeviceTable } from './device-table.ts';
import { type MetricPattern, patternOf } from './metric-pattern.ts';
import type { SeriesGrowth } from './series-growth.ts';
import { stateOf } from './series-quota.ts';

const DEVICES_AT_ONCE = 256;
const TOP = 20;
/** Different names that are counted one by one; what comes beyond is counted by its pattern only. */
const MAX_NAMES = 50_000;
const MAX_PATTERNS = 5_000;
/** Names that differ in a number alone are usual, as those of the cells of a battery: a few hundred are not. */
const SUSPECT_NAMES = { uuid: 5, time: 5, address: 10, hex: 10, number: 200 } as const;
const EXAMPLES = 3;
const TEN_YEARS_MS = 10 * 365 * 86_400_000;
const DAY_MS = 86_400_000;

class Count implements SeriesCount {
  series = 0;
  hour = 0;
  day = 0;
}

class NameCount extends Count {
  readonly pattern: PatternCount | undefined;
  constructor(pattern: PatternCount | undefined) {
    super();
    this.pattern = pattern;
  }
}

class PatternCount extends Count {
  readonly pattern: MetricPattern;
  names = 0;
  more = false;
  readonly examples: string[] = [];
  device = '';
  ofDevice = 0;
  /** Of the device that is being counted. */
  here = 0;
  constructor(pattern: MetricPattern) {
    super();
    this.pattern = pattern;
  }
}

/**
 * Counts all series by device, by metric and by what their names look like, in slices between which devices come and go: a report is of
 * about now. Memory is bounded by MAX_NAMES, whatever devices make up.
 */
export class SeriesCensus {
  readonly #boundaries: { readonly hour: number; readonly day: number };
  readonly #walk: Iterator<Device>;
  readonly #names = new Map<string, NameCount>();
  readonly #patterns = new Map<string, PatternCount>();
  readonly #all = new Count();
  readonly #most = new TopList<DeviceSeries>(TOP, ({ series }) => series);
  readonly #growing = new TopList<DeviceSeries>(TOP, ({ day }) => day);
  #deviceCount = 0;

  constructor(devices: DeviceTable, boundaries: { readonly hour: number; readonly day: number }) {
    this.#boundaries = boundaries;
    this.#walk = devices.all()[Symbol.iterator]();
  }

  /** One slice. @returns true once all are counted */
  step(): boolean {
    for (let i = 0; i < DEVICES_AT_ONCE; i++) {
      const next = this.#walk.next();
      if (next.done === true) return true;
      this.#count(next.value);
    }
    return false;
  }

  report(
    nowMs: number,
    growth: SeriesGrowth,
    usage: CardinalityUsage,
    refusedDevices: readonly RefusedSeries[],
  ): CardinalityReport {
    const metrics = new TopList<SeriesCount & { readonly metric: string }>(TOP, ({ series }) => series);
    for (const [metric, { series, hour, day }] of this.#names) metrics.add({ metric, series, hour, day });
    const all = this.#all;
    const { whole } = usage;
    const watchedMs = Math.min(DAY_MS, nowMs - growth.sinceMs);
    const leftMs = this.#all.day === 0 ? Infinity : ((whole.limit - whole.series) / this.#all.day) * watchedMs;
    return {
      atMs: nowMs,
      watchedSinceMs: growth.sinceMs,
      usage,
      all: { series: all.series, hour: all.hour, day: all.day, devices: this.#deviceCount },
      // A quarter of an hour says nothing of a year.
      fullAtMs: leftMs < TEN_YEARS_MS && watchedMs >= 3_600_000 ? nowMs + Math.max(0, leftMs) : undefined,
      topDevices: this.#most.items(),
      growingDevices: this.#growing.items().filter(({ day }) => day > 0),
      topMetrics: metrics.items(),
      suspects: this.#suspects(),
      refusedDevices,
    };
  }

  #count(device: Device): void {
    const { names, series, quota } = device;
    if (series.length === 0) return;
    const { hour: hourId, day: dayId } = this.#boundaries;
    this.#deviceCount++;
    let hour = 0;
    let day = 0;
    const here = new Set<PatternCount>();
    for (let i = 0; i < names.length; i++) {
      const newInDay = series[i]! >= dayId ? 1 : 0;
      const newInHour = series[i]! >= hourId ? 1 : 0;
      day += newInDay;
      hour += newInHour;
      const name = this.#nameOf(names[i]!);
      for (const count of name instanceof NameCount ? [name, name.pattern] : [name]) {
        if (count === undefined) continue;
        count.series++;
        count.hour += newInHour;
        count.day += newInDay;
        if (count instanceof PatternCount) {
          count.here++;
          here.add(count);
        }
      }
    }
    for (const pattern of here) {
      if (pattern.here > pattern.ofDevice) [pattern.ofDevice, pattern.device] = [pattern.here, device.id];
      pattern.here = 0;
    }
    this.#all.series += series.length;
    this.#all.hour += hour;
    this.#all.day += day;
    const counted = { device: device.id, type: quota.type, limit: quota.perDevice, series: series.length, hour, day };
    this.#most.add(counted);
    this.#growing.add(counted);
  }

  #nameOf(name: string): NameCount | PatternCount | undefined {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const pattern = this.#patternOf(name);
    if (this.#names.size >= MAX_NAMES) {
      if (pattern !== undefined) pattern.more = true;
      return pattern;
    }
    const count = new NameCount(pattern);
    this.#names.set(name, count);
    if (pattern === undefined) return count;
    pattern.names++;
    if (pattern.examples.length < EXAMPLES) pattern.examples.push(name);
    return count;
  }

  #patternOf(name: string): PatternCount | undefined {
    const pattern = patternOf(name);
    if (pattern.kind === undefined) return undefined;
    let count = this.#patterns.get(pattern.pattern);
    if (count === undefined && this.#patterns.size < MAX_PATTERNS) {
      count = new PatternCount(pattern);
      this.#patterns.set(pattern.pattern, count);
    }
    return count;
  }

  #suspects(): SuspectNames[] {
    const found = new TopList<SuspectNames>(TOP, ({ series }) => series);
    for (const { pattern, names, more, series, hour, day, examples, device } of this.#patterns.values()) {
      const { kind } = pattern;
      if (kind === undefined || (names < SUSPECT_NAMES[kind] && !more)) continue;
      found.add({ pattern: pattern.pattern, kind, names, more, series, hour, day, examples, device });
    }
    return found.items();
  }

  /** How full the limits are, now. */
  static usageOf(devices: DeviceTable, near: Iterable<Device>): CardinalityUsage {
    const { quotas } = devices;
    return {
      whole: { series: quotas.series, limit: quotas.limits.whole, state: stateOf(quotas.series, quotas.limits.whole) },
      types: [...quotas.types].map(({ type, series, limit, perDevice }) => ({
        type,
        series,
        limit,
        perDevice,
        state: stateOf(series, limit),
      })),
      devices: [...near].flatMap(({ id: device, series: { length: series }, quota: { perDevice: limit } }) => {
        const state = stateOf(series, limit);
        return state === 'ok' ? [] : [{ device, series, limit, state }];
      }),
      refused: { ...quotas.refused },
    };
  }
}

/** The largest few of many. */
class TopList<T> {
  readonly #limit: number;
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #least = -Infinity;

  constructor(limit: number, sizeOf: (item: T) => number) {
    this.#limit = limit;
    this.#sizeOf = sizeOf;
  }

  add(item: T): void {
    if (this.#sizeOf(item) <= this.#least) return;
    this.#items.push(item);
    if (this.#items.length >= this.#limit * 8) this.#cut();
  }

  items(): T[] {
    this.#cut();
    return this.#items;
  }

  #cut(): void {
    this.#items.sort((a, b) => this.#sizeOf(b) - this.#sizeOf(a));
    this.#items.length = Math.min(this.#items.length, this.#limit);
    if (this.#items.length === this.#limit) this.#least = this.#sizeOf(this.#items.at(-1)!);
  }
}
