import { PayloadError, type PayloadErrorCode } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME, type SampleVisitor, ShapeHint, TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import { type ErrorCode, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RecordBatch } from '../log/log.ts';
import { DAY_MS, dayOf } from './day-file-schema.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import type { Device, DeviceTable } from './device-table.ts';
import type { LiveUpdates } from './live-updates.ts';
import type { Memtable } from './memtable.ts';
import type { PointValue } from './telemetry-queries.ts';
import type { ReplayMarks } from './replay-marks.ts';

const MAX_AHEAD_MS = 60_000;

const CODES: Readonly<Record<PayloadErrorCode, ErrorCode>> = {
  malformed: 'telemetry.malformed',
  'bad-time': 'telemetry.bad-time',
  'too-many-metrics': 'telemetry.too-many-metrics',
  'too-large': 'request.too-large',
};

export interface RecordConsumerParts {
  readonly memtable: Memtable;
  readonly devices: DeviceTable;
  readonly marks: ReplayMarks;
  readonly deadLetters: DeadLetterStore;
  readonly live: LiveUpdates;
  readonly logLines: LogLines;
  /** Told of each device once, when its first record counts; see TelemetryWriterOptions. */
  readonly onDevice: (deviceId: string) => void;
}

/**
 * Turns a record into points in the memtable, all of its samples or none: what is wrong with any of them makes the
 * whole record a dead letter.
 */
export class RecordConsumer implements SampleVisitor {
  readonly #parts: RecordConsumerParts;
  readonly #decoder = new TelemetryPayloadDecoder(PAYLOAD_LIMITS);
  #device!: Device;
  #arrivalMs = 0;
  // The samples of the record that is being decoded: they count once its last one is known to be good.
  #samples = 0;
  readonly #slots: Int32Array[] = [];
  readonly #times: number[] = [];
  #numbers = new Float64Array(1024);
  #numbersUsed = 0;
  readonly #mixed: (readonly PointValue[] | undefined)[] = [];
  // The day of the last sample: most are of the same one.
  #day = 0;
  #midnight = 0;
  records = 0;
  points = 0;
  /** Points that a day file had already, seen again in a replay. */
  skippedPoints = 0;
  /** The newest time that a sample without one was given. */
  assignedMs = 0;
  #assignAfterMs = 0;
  #bugReported = false;

  constructor(parts: RecordConsumerParts) {
    this.#parts = parts;
  }

  /** @param partition index in the list of readers, by which marks are ordered */
  consume(batch: RecordBatch, index: number, device: Device, partition: number): void {
    const offset = batch.firstOffset + index;
    this.records++;
    const { skipBefore } = device;
    if (skipBefore !== undefined && offset < skipBefore[partition]!) return;
    if (!device.announced) {
      device.announced = true;
      this.#parts.onDevice(device.id);
    }
    this.#device = device;
    this.#arrivalMs = Math.trunc(batch.arrivalMs);
    this.#samples = 0;
    this.#numbersUsed = 0;
    this.#parts.devices.begin();
    try {
      this.#decoder.decode(
        batch.data,
        batch.starts[index]!,
        batch.ends[index]!,
        this.#arrivalMs,
        this,
        (device.hint ??= new ShapeHint()),
      );
    } catch (error) {
      this.#parts.devices.rollback();
      this.refuse(batch, index, ...this.#faultOf(error));
      return;
    }
    for (let sample = 0; sample < this.#samples; sample++) this.#store(sample, offset, partition);
    if (this.#mixed.length > 0) this.#mixed.length = 0;
  }

  numbers(shape: Shape, timeMs: number, values: Float64Array): void {
    const slots = this.#parts.devices.slots(this.#device, shape);
    const used = this.#numbersUsed;
    const length = slots.length;
    if (used + length > this.#numbers.length) this.#growNumbers(used + length);
    const numbers = this.#numbers;
    for (let i = 0; i < length; i++) numbers[used + i] = values[i]!;
    this.#numbersUsed = used + length;
    this.#slots[this.#samples] = slots;
    this.#times[this.#samples++] = timeMs === NO_TIME ? this.#assignTime() : timeMs;
  }

  mixed(shape: Shape, timeMs: number, values: readonly PointValue[]): void {
    const slots = this.#parts.devices.slots(this.#device, shape);
    while (this.#mixed.length < this.#samples) this.#mixed.push(undefined);
    this.#mixed[this.#samples] = values;
    this.#slots[this.#samples] = slots;
    this.#times[this.#samples++] = timeMs === NO_TIME ? this.#assignTime() : timeMs;
    this.#numbersUsed += slots.length;
    if (this.#numbersUsed > this.#numbers.length) this.#growNumbers(this.#numbersUsed);
  }

  /**
   * Samples without a time get that of their arrival, or the next ms after the last such sample of the device, so that
   * none replaces another. A device that sends more than a thousand a second runs ahead, up to MAX_AHEAD_MS.
   *
   * A replay begins after the newest time that was given before the low-water mark: what it gives is never before what
   * was given the first time, and so never that of a stored point.
   */
  #assignTime(): number {
    const device = this.#device;
    const limitMs = this.#arrivalMs + MAX_AHEAD_MS;
    // A time beyond the limit was given before the clock was set back: to go on from there would give many the same one.
    const deviceMs = device.assignedMs > limitMs ? 0 : device.assignedMs;
    const replayMs = this.#assignAfterMs > limitMs ? 0 : this.#assignAfterMs;
    const timeMs = Math.min(Math.max(this.#arrivalMs, deviceMs + 1, replayMs + 1), limitMs);
    device.assignedMs = timeMs;
    if (timeMs > this.assignedMs || this.assignedMs > limitMs) this.assignedMs = timeMs;
    return timeMs;
  }

  /** Samples without a time get one after this. */
  assignAfter(timeMs: number): void {
    this.#assignAfterMs = timeMs;
    this.assignedMs = timeMs;
  }

  /** Makes a dead letter of a record. */
  refuse(batch: RecordBatch, index: number, code: ErrorCode, reason: string): void {
    const source = batch.sources[batch.sourceIndex[index]!]!;
    this.#parts.deadLetters.add({
      partition: batch.partition,
      offset: batch.firstOffset + index,
      arrivalMs: batch.arrivalMs,
      device: source.device,
      topic: source.topic,
      code,
      reason,
      data: batch.data,
      start: batch.starts[index]!,
      end: batch.ends[index]!,
    });
  }

  #faultOf(error: unknown): [ErrorCode, string] {
    if (error instanceof PayloadError) return [CODES[error.code], error.message];
    if (error instanceof SelsynError) return [error.code, error.message];
    // A bug must not stop the records behind it: the dead letter keeps what brought it to light.
    if (!this.#bugReported) this.#parts.logLines.error({ err: error }, 'A record could not be decoded for a reason of our own');
    this.#bugReported = true;
    return ['internal', String(error)];
  }

  #from = 0;

  #store(sample: number, offset: number, partition: number): void {
    if (sample === 0) this.#from = 0;
    const { memtable, marks, live } = this.#parts;
    const timeMs = this.#times[sample]!;
    if (timeMs < this.#midnight || timeMs >= this.#midnight + DAY_MS) {
      this.#day = dayOf(timeMs);
      this.#midnight = this.#day * DAY_MS;
    }
    const day = this.#day;
    const timeOfDay = timeMs - this.#midnight;
    const slots = this.#slots[sample]!;
    const mixed = this.#mixed.length === 0 ? undefined : this.#mixed[sample];
    const ofDay = marks.days === 0 ? undefined : marks.of(day);
    const from = this.#from;
    const numbers = this.#numbers;
    this.#from += slots.length;
    if (live.watchesAll || this.#device.watched) live.touch(this.#device, slots);
    for (let i = 0; i < slots.length; i++) {
      const series = slots[i]!;
      if (ofDay !== undefined) {
        const upto = ofDay.get(series);
        if (upto !== undefined && offset < upto[partition]!) {
          this.skippedPoints++;
          continue;
        }
      }
      if (mixed === undefined) memtable.add(series, day, timeOfDay, numbers[from + i]!);
      else memtable.addMixed(series, day, timeOfDay, mixed[i]!);
      this.points++;
    }
  }

  #growNumbers(needed: number): void {
    const grown = new Float64Array(Math.max(needed, this.#numbers.length * 2));
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}
