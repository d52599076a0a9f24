import { NameList } from './name-list.ts';
import type { PointScanSource, SeriesRun } from './point-scan.ts';
import type { SeriesPoints } from './parquet-files.ts';

/** Gathers points as a scan reads them: names become places in lists. */
export class RunCollector implements PointScanSource {
  readonly #devices = new NameList();
  readonly #metrics = new NameList();
  readonly #runs: SeriesRun[] = [];
  points = 0;

  get devices(): readonly string[] {
    return this.#devices.names;
  }

  get metrics(): readonly string[] {
    return this.#metrics.names;
  }

  add({ device, metric, times, values }: SeriesPoints): void {
    if (times.length === 0) return;
    this.points += times.length;
    this.#runs.push({
      device: this.#devices.placeOf(device),
      metric: this.#metrics.placeOf(metric),
      times,
      values,
    });
  }

  open(): Iterator<SeriesRun> {
    return this.#runs.values();
  }
}
