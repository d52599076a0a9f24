import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Device, DeviceTable } from './device-table.ts';
import type { HotScanPage, HotScanQuery, ScannedSeries } from './hot-calls.ts';
import type { HotReads } from './hot-reads.ts';

/** How long a page may keep the thread to itself. */
const SLICE_MS = 5;
/** 1.6 MB of numbers. */
const PAGE_POINTS = 100_000;
/** Devices between two looks at the clock. */
const CLOCK_DEVICES = 64;
const MAX_SCANS = 8;
/** For the next page to be asked for. */
const IDLE_MS = 30_000;

interface Scan {
  readonly devices: Iterator<Device>;
  usedMs: number;
}

/**
 * Reads what is in memory of many devices, page by page, while devices come and go and points are written to the files: whatever
 * is in no page because it was written meanwhile is in the files by then.
 */
export class HotScans {
  readonly #hot: HotReads;
  readonly #devices: DeviceTable;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #scans = new Map<number, Scan>();
  #lastScan = 0;

  constructor(parts: { readonly hot: HotReads; readonly devices: DeviceTable; readonly clock: Pick<Clock, 'monotonicMs'> }) {
    this.#hot = parts.hot;
    this.#devices = parts.devices;
    this.#clock = parts.clock;
  }

  /** @throws SelsynError `query.too-large` when too many scans are under way, `request.invalid` for one that is not any more */
  page(query: HotScanQuery): HotScanPage {
    const startMs = this.#clock.monotonicMs();
    const number = query.scan ?? this.#open(query, startMs);
    const scan = this.#scans.get(number);
    if (scan === undefined)
      throw new SelsynError('request.invalid', 'this scan of the points in memory is over', { retryable: true });
    scan.usedMs = startMs;
    const wanted = query.metrics === undefined ? undefined : new Set(query.metrics);
    const series: ScannedSeries[] = [];
    let points = 0;
    let more = true;
    for (let seen = 1; points < PAGE_POINTS; seen++) {
      const next = scan.devices.next();
      if (next.done === true) {
        more = false;
        this.#scans.delete(number);
        break;
      }
      points += this.#read(next.value, query, wanted, series);
      if (seen % CLOCK_DEVICES === 0 && this.#clock.monotonicMs() - startMs >= SLICE_MS) break;
    }
    return { series, ...this.#hot.state(query.fromMs, query.toMs), ...(more ? { scan: number } : {}) };
  }

  #read(device: Device, query: HotScanQuery, wanted: ReadonlySet<string> | undefined, series: ScannedSeries[]): number {
    let points = 0;
    device.series.forEach((id, index) => {
      const metric = device.names[index]!;
      if (wanted !== undefined && !wanted.has(metric)) return;
      const { times, values } = this.#hot.pointsOf(id, query.fromMs, query.toMs);
      if (times.length === 0) return;
      points += times.length;
      series.push({ device: device.id, metric, id, times, values });
    });
    return points;
  }

  #open(query: HotScanQuery, nowMs: number): number {
    for (const [number, scan] of this.#scans) if (nowMs - scan.usedMs > IDLE_MS) this.#scans.delete(number);
    if (this.#scans.size >= MAX_SCANS) {
      throw new SelsynError('query.too-large', 'too many queries read what is in memory', { retryable: true });
    }
    const devices = query.devices === undefined ? this.#devices.all() : this.#known(query.devices);
    this.#scans.set(++this.#lastScan, { devices: devices[Symbol.iterator](), usedMs: nowMs });
    return this.#lastScan;
  }

  *#known(ids: readonly string[]): Generator<Device> {
    for (const id of ids) {
      const device = this.#devices.find(id);
      if (device !== undefined) yield device;
    }
  }
}
