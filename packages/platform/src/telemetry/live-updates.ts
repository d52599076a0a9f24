import type { MessagePort } from 'node:worker_threads';
import type { DeviceId } from '../kernel/device-id.ts';
import type { Device, DeviceTable } from './device-table.ts';
import { LIVE_BATCHES_UNANSWERED, type LiveBatch, type WatchRequest } from './hot-calls.ts';
import type { LatestValues } from './latest-values.ts';
import type { LatestValue, LiveUpdate } from './telemetry-queries.ts';

/** Devices in one batch; the others come with a later one, with what is their newest by then. */
const BATCH_DEVICES = 1000;
/** A device with more shapes than that between two batches gets an update of all of its series. */
const TOUCHED_SHAPES = 4;

/**
 * Gathers which devices sent something, and posts their newest values when asked to.
 *
 * A record costs one entry in a list, however many points it has: values are looked up when they are posted.
 */
export class LiveUpdates {
  readonly #devices: DeviceTable;
  readonly #latest: LatestValues;
  #touched: Device[] = [];
  #watched: Device[] = [];
  #port: MessagePort | undefined;
  #unanswered = 0;
  watchesAll = false;
  #names: ReadonlySet<string> = new Set();

  constructor(devices: DeviceTable, latest: LatestValues) {
    this.#devices = devices;
    this.#latest = latest;
  }

  /** Where batches go from now on. Each message that comes back is an answer to one. */
  serve(port: MessagePort): void {
    this.#port = port;
    this.#unanswered = 0;
    port.on('message', () => {
      this.#unanswered = Math.max(0, this.#unanswered - 1);
    });
  }

  watch(request: WatchRequest): void {
    for (const device of this.#watched) device.watched = false;
    this.#watched = [];
    for (const device of this.#touched) device.touched = undefined;
    this.#touched = [];
    this.watchesAll = !('none' in request) && request.devices === undefined;
    this.#names = new Set('none' in request ? [] : request.devices);
    for (const name of this.#names) {
      const device = this.#devices.find(name);
      if (device !== undefined) this.appeared(device);
    }
  }

  /** A device that was not known until now: somebody may have been waiting for it. */
  appeared(device: Device): void {
    if (this.#names.size === 0 || device.watched || !this.#names.has(device.id)) return;
    device.watched = true;
    this.#watched.push(device);
  }

  touch(device: Device, series: Int32Array): void {
    const { touched } = device;
    if (touched === undefined) {
      device.touched = [series];
      this.#touched.push(device);
    } else if (!touched.includes(series)) {
      if (touched.length < TOUCHED_SHAPES) touched.push(series);
      else device.touched = [Int32Array.from(device.series)];
    }
  }

  /** Posts a batch, if there is anything to say and the receiver keeps up. */
  post(): void {
    if (this.#touched.length === 0 || this.#port === undefined || this.#unanswered >= LIVE_BATCHES_UNANSWERED) return;
    const batch = this.#touched.slice(0, BATCH_DEVICES);
    this.#touched = this.#touched.slice(batch.length);
    const updates: LiveBatch = batch.map((device) => this.#updateOf(device)).filter((update) => update.values.length > 0);
    if (updates.length === 0) return;
    this.#unanswered++;
    this.#port.postMessage(updates);
  }

  #updateOf(device: Device): LiveUpdate {
    const series = new Set<number>();
    for (const slots of device.touched ?? []) for (const id of slots) series.add(id);
    device.touched = undefined;
    const values: LatestValue[] = [];
    device.series.forEach((id, index) => {
      const newest = series.has(id) ? this.#latest.newest(id) : undefined;
      if (newest !== undefined) values.push({ metric: device.names[index]!, ...newest });
    });
    // The id came with a record of the log: it was checked when the record was taken.
    return { device: device.id as DeviceId, values };
  }
}
