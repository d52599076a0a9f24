import type { PointScanSource, SeriesRun } from './point-scan.ts';
import type { SeriesPoints } from './parquet-files.ts';

/** Gathers points as a scan reads them: names become places in lists. */
export class RunCollector implements PointScanSource {
  readonly devices: string[] = [];
  readonly metrics: string[] = [];
  readonly #runs: SeriesRun[] = [];
  readonly #devicePlaces = new Map<string, number>();
  readonly #metricPlaces = new Map<string, number>();
  points = 0;

  add({ device, metric, times, values }: SeriesPoints): void {
    if (times.length === 0) return;
    this.points += times.length;
    this.#runs.push({
      device: placeOf(device, this.devices, this.#devicePlaces),
      metric: placeOf(metric, this.metrics, this.#metricPlaces),
      times,
      values,
    });
  }

  open(): Iterator<SeriesRun> {
    return this.#runs.values();
  }
}

function placeOf(name: string, names: string[], places: Map<string, number>): number {
  let place = places.get(name);
  if (place === undefined) {
    place = names.length;
    names.push(name);
    places.set(name, place);
  }
  return place;
}
