import type { RecordSource } from '../log/log.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import type { ShapeHint } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { PayloadDecoder } from '../payloads/payload-decoder.ts';
import type { TypeFacts } from '../payloads/type-facts.ts';
import type { SeriesRow } from './catalog.ts';
import type { Positions } from './consumed-steps.ts';
import { NEAR, SERIES_LIMITS, type SeriesLimits, SeriesQuotas, type SeriesRefusal, type TypeQuota } from './series-quota.ts';

/** Stands for a metric that is not stored, in the series of a shape. Ids begin at 1. */
export const NO_SERIES = 0;

const MAX_SHAPES = 16;
/** Of a device with so many metrics, names are looked up by a map of their own. */
const MANY_METRICS = 48;
/** Maps of names that are kept; they are made again when needed. */
const MAX_MAPS = 256;
const MAX_NEAR = 100;

/** A device as the processor knows it: names[i] is stored as series[i]. */
export class Device {
  readonly id: string;
  /** Undefined once the device is removed. */
  table: DeviceTable | undefined;
  /** Where its series are counted. */
  quota: TypeQuota;
  readonly names: string[] = [];
  readonly series: number[] = [];
  /** The last shape it sent, and its series in the order of that shape's names. */
  shape: Shape | undefined;
  slots: Int32Array = NO_SLOTS;
  /** Others that it sent. */
  shapes: Map<Shape, Int32Array> | undefined;
  /** Records before these positions were there when it was removed: they are skipped. */
  skipBefore: Positions | undefined;
  /** `onDevice` was told of it. */
  announced = false;
  /** Somebody watches this device by name. */
  watched = false;
  hint: ShapeHint | undefined;
  /** What is known of its type; undefined or `stale`: to be asked for (TelemetryWriter). */
  facts: TypeFacts | undefined;
  /** How `telemetry/{id}` is read, of `facts`; undefined: as JSON. */
  decoder: PayloadDecoder | undefined;
  /** The last time that was given to a sample without one. */
  assignedMs = 0;
  /** Series it sent since the last live update (live-updates.ts). */
  touched: Int32Array[] | undefined;

  constructor(id: string, table: DeviceTable) {
    this.id = id;
    this.table = table;
    this.quota = table.quotas.untyped;
  }
}

const NO_SLOTS = new Int32Array(0);

/**
 * Which device sends, and as which series its metrics are stored.
 *
 * A record of a known source and a known shape costs two comparisons of object identity and no string.
 */
export class DeviceTable {
  readonly #devices = new Map<string, Device>();
  readonly #metricNames = new Map<string, string>();
  /** From #saved on: series that the catalog does not have yet, in ascending order of id. */
  #unsaved: SeriesRow[] = [];
  #saved = 0;
  #nextSeries = 1;
  #undo: { readonly device: Device; readonly metrics: number; readonly unsaved: number; readonly nextSeries: number } | undefined;
  readonly #onSeries: (id: number) => void;
  readonly #onUnsaved: () => void;
  #toldUnsaved = false;
  readonly quotas: SeriesQuotas;
  /** By device that has many metrics: the place of each name. The one that was not used for longest goes. */
  readonly #places = new Map<Device, Map<string, number>>();
  /** Devices near their limit or at it, the newest MAX_NEAR that came there. Where the limit was raised meanwhile they are not any more. */
  readonly near = new Set<Device>();
  /** Why `slots` returned undefined the last time. */
  refusal: SeriesRefusal | undefined;

  /**
   * @param onSeries called with each series id before it is used
   * @param onUnsaved called whenever `hasUnsaved` changes
   */
  constructor(onSeries: (id: number) => void, limits: SeriesLimits = SERIES_LIMITS, onUnsaved: () => void = () => undefined) {
    this.#onSeries = onSeries;
    this.#onUnsaved = onUnsaved;
    this.quotas = new SeriesQuotas(limits);
  }

  get size(): number {
    return this.#devices.size;
  }

  get nextSeries(): number {
    return this.#nextSeries;
  }

  /** The id of the first series that is not in the catalog. */
  get firstUnsaved(): number {
    return this.#unsaved[this.#saved]?.id ?? this.#nextSeries;
  }

  /** There are series that the catalog does not have. */
  get hasUnsaved(): boolean {
    return this.#saved < this.#unsaved.length;
  }

  /** What the catalog says; in ascending order of id for each device. */
  load(id: number, deviceId: string, metric: string): void {
    this.#addMetric(this.#deviceOf(deviceId), metric, id);
  }

  /** Ids from here on are free. */
  startAt(nextSeries: number): void {
    this.#nextSeries = nextSeries;
  }

  setSkipBefore(deviceId: string, positions: Positions): void {
    this.#deviceOf(deviceId).skipBefore = positions;
  }

  /** In no order; also devices that have no series. */
  all(): Iterable<Device> {
    return this.#devices.values();
  }

  find(deviceId: string): Device | undefined {
    return this.#devices.get(deviceId);
  }

  resolve(source: RecordSource): Device {
    // Kept on the source itself: with 100,000 devices a Map would cost more than all the rest of a record.
    const { known } = source;
    if (known instanceof Device && known.table === this) return known;
    const device = this.#deviceOf(source.device);
    source.known = device;
    return device;
  }

  /**
   * The series of a shape's metrics; new ones get an id. Undefined where a limit does not let all of them in (`refusal` says which): none
   * was added.
   */
  slots(device: Device, shape: Shape): Int32Array | undefined {
    if (device.shape === shape) return device.slots;
    let slots = device.shapes?.get(shape);
    if (slots === undefined) {
      slots = this.#learn(device, shape);
      if (slots === undefined) return undefined;
      device.shapes ??= new Map();
      if (device.shapes.size >= MAX_SHAPES) device.shapes.clear();
      device.shapes.set(shape, slots);
    }
    device.shape = shape;
    device.slots = slots;
    return slots;
  }

  /** As `slots`, but adds nothing: NO_SERIES stands for what is not known. */
  knownSlots(device: Device, { names }: Shape): Int32Array {
    return Int32Array.from(names, (name) => device.series[this.#placeOf(device, name)] ?? NO_SERIES);
  }

  /** The device is of another type now, or of none. */
  setType(device: Device, type: string | undefined): void {
    const quota = this.quotas.typeOf(type);
    this.quotas.move(device.quota, quota, device.series.length);
    device.quota = quota;
    this.#lookAtLimit(device);
  }

  /** From here to the next call of this, `rollback` takes back the series that were added. */
  begin(): void {
    this.#undo = undefined;
  }

  rollback(): void {
    const undo = this.#undo;
    if (undo === undefined) return;
    this.quotas.count(undo.device.quota, undo.metrics - undo.device.names.length);
    this.#places.delete(undo.device);
    undo.device.names.length = undo.metrics;
    undo.device.series.length = undo.metrics;
    undo.device.shape = undefined;
    undo.device.shapes = undefined;
    this.#unsaved.length = undo.unsaved;
    this.#nextSeries = undo.nextSeries;
    this.#undo = undefined;
    this.#tellUnsaved();
  }

  /** At most `limit` series that the catalog must get next. */
  unsaved(limit: number): readonly SeriesRow[] {
    return this.#unsaved.slice(this.#saved, this.#saved + limit);
  }

  /** The first `count` of the unsaved are in the catalog. */
  saved(count: number): void {
    this.#saved += count;
    if (this.hasUnsaved) return;
    this.#unsaved = [];
    this.#saved = 0;
    this.#tellUnsaved();
  }

  /** Drops a device; its series ids are not used again. */
  remove(device: Device): void {
    this.#devices.delete(device.id);
    this.#places.delete(device);
    this.near.delete(device);
    this.quotas.count(device.quota, -device.series.length);
    device.table = undefined;
    const gone = new Set(device.series);
    this.#unsaved = this.#unsaved.slice(this.#saved).filter(({ id }) => !gone.has(id));
    this.#saved = 0;
    this.#undo = undefined;
    this.#tellUnsaved();
  }

  #deviceOf(id: string): Device {
    let device = this.#devices.get(id);
    if (device === undefined) this.#devices.set(id, (device = new Device(id, this)));
    return device;
  }

  #learn(device: Device, shape: Shape): Int32Array | undefined {
    const known = shape.names.map((name) => this.#placeOf(device, name));
    const added = known.filter((index) => index === -1).length;
    if (added > 0) {
      this.refusal = this.quotas.refusal(device.quota, device.names.length, added);
      if (this.refusal !== undefined) return undefined;
    }
    this.#undo ??= { device, metrics: device.names.length, unsaved: this.#unsaved.length, nextSeries: this.#nextSeries };
    return Int32Array.from(shape.names, (name, position) => {
      const index = known[position]!;
      if (index !== -1) return device.series[index]!;
      const id = this.#nextSeries++;
      this.#addMetric(device, name, id);
      this.#unsaved.push({ id, device: device.id, metric: name });
      this.#tellUnsaved();
      return id;
    });
  }

  #tellUnsaved(): void {
    if (this.hasUnsaved === this.#toldUnsaved) return;
    this.#toldUnsaved = this.hasUnsaved;
    this.#onUnsaved();
  }

  #lookAtLimit(device: Device): void {
    if (device.series.length < device.quota.perDevice * NEAR) return;
    this.near.add(device);
    const [oldest] = this.near;
    if (oldest !== undefined && this.near.size > MAX_NEAR) this.near.delete(oldest);
  }

  /** Where the metric stands in `names`, or -1. */
  #placeOf(device: Device, name: string): number {
    if (device.names.length < MANY_METRICS) return device.names.indexOf(name);
    let places = this.#places.get(device);
    if (places === undefined) {
      places = new Map(device.names.map((known, index) => [known, index]));
      const [oldest] = this.#places.keys();
      if (oldest !== undefined && this.#places.size >= MAX_MAPS) this.#places.delete(oldest);
      this.#places.set(device, places);
    }
    return places.get(name) ?? -1;
  }

  #addMetric(device: Device, metric: string, id: number): void {
    // Thousands of devices share few names: one string for each.
    let name = this.#metricNames.get(metric);
    if (name === undefined) {
      if (this.#metricNames.size >= 65_536) this.#metricNames.clear();
      this.#metricNames.set(metric, (name = metric));
    }
    this.#places.get(device)?.set(name, device.names.length);
    device.names.push(name);
    device.series.push(id);
    this.quotas.count(device.quota, 1);
    this.#lookAtLimit(device);
    this.#onSeries(id);
  }
}
