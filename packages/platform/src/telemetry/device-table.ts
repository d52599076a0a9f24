import type { RecordSource } from '../log/log.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import type { ShapeHint } from '@selsyn/wire/payload/telemetry-payload.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { SeriesRow } from './catalog.ts';
import type { Positions } from './consumed-steps.ts';

/** More would be a mistake of the device, and would make the store slow for all. */
export const MAX_METRICS = 256;

const MAX_SHAPES = 16;

/** A device as the processor knows it: names[i] is stored as series[i]. */
export class Device {
  readonly id: string;
  /** Undefined once the device is removed. */
  table: DeviceTable | undefined;
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
  /** The last time that was given to a sample without one. */
  assignedMs = 0;
  /** Series it sent since the last live update (live-updates.ts). */
  touched: Int32Array[] | undefined;

  constructor(id: string, table: DeviceTable) {
    this.id = id;
    this.table = table;
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

  /** @param onSeries called with each series id before it is used */
  constructor(onSeries: (id: number) => void) {
    this.#onSeries = onSeries;
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
   * The series of a shape's metrics; new ones get an id.
   *
   * @throws SelsynError `telemetry.too-many-metrics`: none of the shape's new metrics was added.
   */
  slots(device: Device, shape: Shape): Int32Array {
    if (device.shape === shape) return device.slots;
    let slots = device.shapes?.get(shape);
    if (slots === undefined) {
      slots = this.#learn(device, shape);
      device.shapes ??= new Map();
      if (device.shapes.size >= MAX_SHAPES) device.shapes.clear();
      device.shapes.set(shape, slots);
    }
    device.shape = shape;
    device.slots = slots;
    return slots;
  }

  /** From here to the next call of this, `rollback` takes back the series that were added. */
  begin(): void {
    this.#undo = undefined;
  }

  rollback(): void {
    const undo = this.#undo;
    if (undo === undefined) return;
    undo.device.names.length = undo.metrics;
    undo.device.series.length = undo.metrics;
    undo.device.shape = undefined;
    undo.device.shapes = undefined;
    this.#unsaved.length = undo.unsaved;
    this.#nextSeries = undo.nextSeries;
    this.#undo = undefined;
  }

  /** At most `limit` series that the catalog must get next. */
  unsaved(limit: number): readonly SeriesRow[] {
    return this.#unsaved.slice(this.#saved, this.#saved + limit);
  }

  /** The first `count` of the unsaved are in the catalog. */
  saved(count: number): void {
    this.#saved += count;
    if (this.#saved < this.#unsaved.length) return;
    this.#unsaved = [];
    this.#saved = 0;
  }

  /** Drops a device; its series ids are not used again. */
  remove(device: Device): void {
    this.#devices.delete(device.id);
    device.table = undefined;
    const gone = new Set(device.series);
    this.#unsaved = this.#unsaved.slice(this.#saved).filter(({ id }) => !gone.has(id));
    this.#saved = 0;
    this.#undo = undefined;
  }

  #deviceOf(id: string): Device {
    let device = this.#devices.get(id);
    if (device === undefined) this.#devices.set(id, (device = new Device(id, this)));
    return device;
  }

  #learn(device: Device, shape: Shape): Int32Array {
    const known = shape.names.map((name) => device.names.indexOf(name));
    const added = known.filter((index) => index === -1).length;
    if (device.names.length + added > MAX_METRICS) {
      throw new SelsynError('telemetry.too-many-metrics', `a device may have ${MAX_METRICS} metrics`, {
        details: { device: device.id, metrics: device.names.length, added },
      });
    }
    this.#undo ??= { device, metrics: device.names.length, unsaved: this.#unsaved.length, nextSeries: this.#nextSeries };
    return Int32Array.from(shape.names, (name, position) => {
      const index = known[position]!;
      if (index !== -1) return device.series[index]!;
      const id = this.#nextSeries++;
      this.#addMetric(device, name, id);
      this.#unsaved.push({ id, device: device.id, metric: name });
      return id;
    });
  }

  #addMetric(device: Device, metric: string, id: number): void {
    // Thousands of devices share few names: one string for each.
    let name = this.#metricNames.get(metric);
    if (name === undefined) {
      if (this.#metricNames.size >= 65_536) this.#metricNames.clear();
      this.#metricNames.set(metric, (name = metric));
    }
    device.names.push(name);
    device.series.push(id);
    this.#onSeries(id);
  }
}
