import { NameList } from '../columnar/name-list.ts';
import type { SeriesRow } from '../telemetry/catalog.ts';
import type { SeriesReader } from '../telemetry/series-reader.ts';
import type { HotPoints } from './hot-points.ts';
import type { SeenDevices } from './seen-devices.ts';
import type { TablePart } from './sql-calls.ts';
import { joinSpans, type TimeSpan } from './time-spans.ts';

/** Beyond, all series are listed, and those of others passed over. */
const MAX_LOOKUPS = 20_000;

/** A series that a table is read of: names as places in the lists, and when. */
export interface ListedSeries {
  readonly id: number;
  readonly device: number;
  readonly metric: number;
  readonly spans: readonly TimeSpan[];
}

/** The series that a table is read of: those that its parts speak of and whoever asks may see. */
export class SeriesList {
  readonly series: ListedSeries[] = [];
  readonly #devices = new NameList();
  readonly #metrics = new NameList();
  /** Few: most series are of the same parts. */
  readonly #spans = new Map<string, readonly TimeSpan[]>();
  readonly #parts: readonly PartTest[];
  readonly #seen: SeenDevices;

  constructor(parts: readonly TablePart[], seen: SeenDevices) {
    this.#parts = parts.map((part) => new PartTest(part));
    this.#seen = seen;
  }

  get devices(): string[] {
    return this.#devices.names;
  }

  get metrics(): string[] {
    return this.#metrics.names;
  }

  /** Lists what the catalog has, and what is in memory only. */
  read(reader: SeriesReader, hot: HotPoints): this {
    const listed = new Set<number>();
    for (const row of this.#rows(reader)) {
      listed.add(row.id);
      this.#add(row);
    }
    for (const row of hot.all()) if (!listed.has(row.id)) this.#add(row);
    return this;
  }

  /** The names of the types of the devices, and the place of each device's; -1: none. */
  types(): { readonly names: string[]; readonly ofDevice: Int32Array } {
    const types = new NameList();
    const ofDevice = Int32Array.from(this.devices, (device) => {
      const type = this.#seen.typeOf(device);
      return type === null ? -1 : types.placeOf(type);
    });
    return { names: types.names, ofDevice };
  }

  #rows(reader: SeriesReader): Iterable<SeriesRow> {
    const named = this.#parts.every(({ devices }) => devices !== undefined)
      ? new Set(this.#parts.flatMap(({ devices }) => [...devices!]))
      : undefined;
    if (named !== undefined && named.size <= MAX_LOOKUPS) return reader.ofDevices(named);
    return this.#seen.only && this.#seen.size <= MAX_LOOKUPS ? reader.ofDevices(this.#seen.ids()) : reader.all();
  }

  #add({ id, device, metric }: SeriesRow): void {
    if (!this.#seen.sees(device)) return;
    const parts = this.#parts.filter((part) => part.has(device, metric, this.#seen));
    if (parts.length === 0) return;
    const key = parts.map(({ part }) => `${part.fromMs} ${part.toMs}`).join();
    let spans = this.#spans.get(key);
    if (spans === undefined) this.#spans.set(key, (spans = joinSpans(parts.map(({ part }) => part))));
    this.series.push({
      id,
      device: this.#devices.placeOf(device),
      metric: this.#metrics.placeOf(metric),
      spans,
    });
  }
}

class PartTest {
  readonly part: TablePart;
  readonly devices: ReadonlySet<string> | undefined;
  readonly #metrics: ReadonlySet<string> | undefined;
  readonly #types: ReadonlySet<string> | undefined;

  constructor(part: TablePart) {
    this.part = part;
    this.devices = part.devices && new Set(part.devices);
    this.#metrics = part.metrics && new Set(part.metrics);
    this.#types = part.deviceTypes && new Set(part.deviceTypes);
  }

  has(device: string, metric: string, seen: SeenDevices): boolean {
    if (this.devices?.has(device) === false || this.#metrics?.has(metric) === false) return false;
    return this.#types === undefined || this.#types.has(seen.typeOf(device) ?? '');
  }
}
