import { DAY_MS } from './day-file-schema.ts';
import type { HotCalls, HotRead } from './hot-calls.ts';
import { HotDaysReader } from './hot-days.ts';
import { NO_NUMBERS } from './query-columns.ts';
import { SeriesReader } from './series-reader.ts';

/**
 * Answers `hotRead` without the processor thread where it has nothing in memory for the asked days: the series are those of the catalog.
 *
 * As exact as to ask: what was consumed before, and is not in memory, is committed to the day files, which are read afterwards.
 */
export class SettledReads implements Disposable {
  readonly #telemetryDir: string;
  readonly #days: HotDaysReader;
  #series: SeriesReader | undefined;

  constructor(options: { readonly telemetryDir: string; readonly hotDays: SharedArrayBuffer }) {
    this.#telemetryDir = options.telemetryDir;
    this.#days = new HotDaysReader(options.hotDays);
  }

  /** Undefined where the processor must be asked. @throws SelsynError `telemetry.store-failed` */
  read({ device, metrics, fromMs, toMs }: Parameters<HotCalls['hotRead']>[0]): HotRead | undefined {
    const state = this.#days.read(Math.floor(fromMs / DAY_MS), Math.ceil(toMs / DAY_MS));
    if (state === undefined) return undefined;
    this.#series ??= new SeriesReader(this.#telemetryDir);
    const series: HotRead['series'][number][] = [];
    for (const { metric, id } of this.#series.ofDevice(device))
      if (metrics === undefined || metrics.includes(metric)) series.push({ metric, id, times: NO_NUMBERS, values: NO_NUMBERS });
    return { series, ...state };
  }

  [Symbol.dispose](): void {
    this.#series?.[Symbol.dispose]();
  }
}
