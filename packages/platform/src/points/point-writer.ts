import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { ByteWriter } from './byte-writer.ts';
import type { PointBatch } from './point-batch.ts';
import type { SampleValue } from './sample-limits.ts';

/** Records are ended at this size: well below what the log takes, and a fault of one costs few others. */
const MAX_RECORD_BYTES = 48 * 1024;
const MAX_RECORD_SAMPLES = 1_000;

const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;
const SAMPLE_START = new TextEncoder().encode('{"ts":');
const VALUES_START = new TextEncoder().encode(',"values":{');

/** One device in the batches that are being written. Made by `PointWriter.device`, and of use only with that writer. */
export interface BatchDevice {
  readonly id: string;
  readonly lane: Lane;
  readonly index: number;
  /** That were written of it. */
  samples: number;
  points: number;
}

/** What is written for one lane. */
interface Lane {
  readonly out: ByteWriter;
  readonly devices: string[];
  /** Of each record that is written: its device, and its end. */
  readonly deviceIndex: number[];
  readonly ends: number[];
  /** Whose record is being written; -1: none is. */
  open: number;
  openStart: number;
  openSamples: number;
}

/**
 * Writes samples as records of the log. Samples of one device that come one after the other share a record.
 *
 * Each sample is `begin`, then for each metric `name` and a value written to `out`, and `end`. What is written must be checked already
 * (see PointBatch).
 */
export class PointWriter {
  readonly #laneOf: (device: string) => number;
  readonly #lanes: readonly Lane[];
  readonly #devices = new Map<string, BatchDevice>();
  /** Of the sample that is being written: values are written there. */
  out: ByteWriter;
  #lane: Lane;
  #device: BatchDevice | undefined;
  #timeMs = 0;
  #values = 0;
  /** Points that were written. */
  points = 0;
  samples = 0;
  #pointsBefore = 0;

  constructor(intake: { readonly lanes: number; laneOf(device: string): number }) {
    this.#laneOf = (device) => intake.laneOf(device);
    this.#lanes = Array.from({ length: intake.lanes }, () => ({
      out: new ByteWriter(),
      devices: [],
      deviceIndex: [],
      ends: [],
      open: -1,
      openStart: 0,
      openSamples: 0,
    }));
    this.#lane = this.#lanes[0]!; // there is at least one
    this.out = this.#lane.out;
  }

  device(id: string): BatchDevice {
    let device = this.#devices.get(id);
    if (device === undefined) {
      const lane = this.#lanes[this.#laneOf(id)];
      if (lane === undefined) throw new RangeError('a device has no lane');
      device = { id, lane, index: lane.devices.length, samples: 0, points: 0 };
      lane.devices.push(id);
      this.#devices.set(id, device);
    }
    return device;
  }

  /** @param timeMs whole */
  begin(device: BatchDevice, timeMs: number): void {
    const { lane, index } = device;
    const { out } = lane;
    device.samples++;
    this.samples++;
    this.#device = device;
    this.#lane = lane;
    this.out = out;
    this.#timeMs = timeMs;
    this.#values = 0;
    const isFull = out.size - lane.openStart > MAX_RECORD_BYTES || lane.openSamples >= MAX_RECORD_SAMPLES;
    if (lane.open !== index || isFull) {
      this.#open(lane, index);
    } else out.byte(COMMA);
    lane.openSamples++;
    this.#head();
  }

  /** @param key the name as JSON has it, with its quotes and the colon behind it */
  name(key: Uint8Array): void {
    const { out } = this;
    if (this.#values === PAYLOAD_LIMITS.maxMetrics) {
      // A sample holds no more: another of the same time goes on.
      out.byte(CLOSE_BRACE);
      out.byte(CLOSE_BRACE);
      if (out.size - this.#lane.openStart > MAX_RECORD_BYTES) this.#open(this.#lane, this.#lane.open);
      else out.byte(COMMA);
      this.#lane.openSamples++;
      this.#values = 0;
      this.#head();
    }
    if (this.#values > 0) out.byte(COMMA);
    this.#values++;
    this.points++;
    out.bytes(key);
  }

  end(): void {
    this.#device!.points += this.points - this.#pointsBefore; // there was a `begin`
    this.#pointsBefore = this.points;
    this.out.byte(CLOSE_BRACE);
    this.out.byte(CLOSE_BRACE);
  }

  /** A whole sample, for those who have values of their own. */
  add(device: BatchDevice, timeMs: number, values: Iterable<readonly [string, SampleValue]>): void {
    this.begin(device, timeMs);
    for (const [name, value] of values) {
      this.name(keyOf(name));
      this.out.text(JSON.stringify(value));
    }
    this.end();
  }

  /** Those of which something was written. */
  deviceIds(): readonly DeviceId[] {
    const ids: DeviceId[] = [];
    for (const { id, samples } of this.#devices.values()) if (samples > 0) ids.push(id as DeviceId); // whoever wrote has checked it
    return ids;
  }

  samplesOf(device: string): number {
    return this.#devices.get(device)?.samples ?? 0;
  }

  pointsOf(device: string): number {
    return this.#devices.get(device)?.points ?? 0;
  }

  /** Bytes that were written. */
  get sizeBytes(): number {
    return this.#lanes.reduce((sum, { out }) => sum + out.size, 0);
  }

  /** All that was written, by lanes; undefined where a lane has nothing. */
  batches(): readonly (PointBatch | undefined)[] {
    return this.#lanes.map((lane) => {
      this.#close(lane);
      const { devices, deviceIndex, ends, out } = lane;
      if (ends.length === 0) return undefined;
      return { devices, deviceIndex: Uint32Array.from(deviceIndex), ends: Uint32Array.from(ends), data: out.taken() };
    });
  }

  #head(): void {
    const { out } = this;
    out.bytes(SAMPLE_START);
    out.wholeNumber(this.#timeMs);
    out.bytes(VALUES_START);
  }

  #open(lane: Lane, index: number): void {
    this.#close(lane);
    lane.open = index;
    lane.openStart = lane.out.size;
    lane.openSamples = 0;
    lane.out.byte(OPEN_ARRAY);
  }

  #close(lane: Lane): void {
    if (lane.open === -1) return;
    lane.out.byte(CLOSE_ARRAY);
    lane.deviceIndex.push(lane.open);
    lane.ends.push(lane.out.size);
    lane.open = -1;
  }
}

/** What `PointWriter.name` takes. */
export function keyOf(name: string): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(name)}:`);
}
