import { PayloadError, type PayloadErrorCode } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME, ShapeHint, TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import { type ErrorCode, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RecordBatch } from '../log/log.ts';
import type { PayloadDecoder, PayloadVisitor } from '../payloads/payload-decoder.ts';
import { DAY_MS, dayOf } from './day-file-schema.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';
import { type Device, type DeviceTable, NO_SERIES } from './device-table.ts';
import type { LiveUpdates } from './live-updates.ts';
import type { Memtable } from './memtable.ts';
import { judge } from './quality-judge.ts';
import type { QualityStore } from './quality-store.ts';
import type { PointValue } from './telemetry-queries.ts';
import type { ReplayMarks } from './replay-marks.ts';
import { refusalText, type SeriesRefusal } from './series-quota.ts';

const MAX_AHEAD_MS = 60_000;
const NO_BYTES: Uint8Array = new Uint8Array(0);
/** A point takes no fewer bytes in JSON. */
const JSON_POINT_BYTES = 5;
/** Of one record: they are counted, and no more of them need be. */
const MAX_UNITS_KEPT = 1000;

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
  readonly quality: QualityStore;
  readonly live: LiveUpdates;
  readonly logLines: LogLines;
  /** Told of each device once, when its first record counts; see TelemetryWriterOptions. */
  readonly onDevice: (deviceId: string) => void;
  /** New metrics of one of its messages had no room. */
  readonly onRefused: (device: Device, refusal: SeriesRefusal, arrivalMs: number) => void;
}

/**
 * Turns a record into points in the memtable, all of its samples or none: what is wrong with any of them makes the
 * whole record a dead letter.
 *
 * Where a limit of series does not let the new metrics of a record in, none of them is added, and the record becomes a dead letter too;
 * but what it has of metrics that are known already is stored: they never suffer from others.
 */
export class RecordConsumer implements PayloadVisitor {
  readonly #parts: RecordConsumerParts;
  readonly #decoder = new TelemetryPayloadDecoder(PAYLOAD_LIMITS);
  #device!: Device;
  #arrivalMs = 0;
  /** What a decoder is given, used again for each record. */
  readonly #message = { data: NO_BYTES, start: 0, end: 0, device: '', topic: '', arrivalMs: 0, partition: 0, offset: 0 };
  // The samples of the record that is being decoded: they count once its last one is known to be good.
  #samples = 0;
  readonly #slots: Int32Array[] = [];
  readonly #shapes: Shape[] = [];
  /** New metrics of the record had no room. */
  #refusal: SeriesRefusal | undefined;
  readonly #times: number[] = [];
  /** Metrics of the record that are in units that nobody knows. */
  readonly #unitsKept: (readonly [metric: string, unit: string])[] = [];
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

  /**
   * There is room for what JSON of this size can hold (Memtable.hasRoomFor).
   *
   * @param partition index in the list of readers, by which marks are ordered
   * @param decoder undefined: JSON
   * @returns false when there is no room for what a decoder has made of the record: nothing of it counts, it is consumed later
   */
  consume(batch: RecordBatch, index: number, device: Device, partition: number, decoder?: PayloadDecoder): boolean {
    const offset = batch.firstOffset + index;
    const { skipBefore } = device;
    if (skipBefore !== undefined && offset < skipBefore[partition]!) {
      this.records++;
      return true;
    }
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
      if (decoder === undefined) {
        this.#decoder.decode(
          batch.data,
          batch.starts[index]!,
          batch.ends[index]!,
          this.#arrivalMs,
          this,
          (device.hint ??= new ShapeHint()),
        );
      } else if (!this.#decodeBy(decoder, batch, index)) {
        this.#takeBack();
        return false;
      }
    } catch (error) {
      this.#takeBack();
      this.records++;
      this.refuse(batch, index, ...this.#faultOf(error));
      return true;
    }
    this.records++;
    if (this.#refusal !== undefined) this.#keepKnown(batch, index, this.#refusal);
    if (device.facts?.ranges !== undefined || this.#unitsKept.length > 0) this.#judge(offset, partition);
    for (let sample = 0; sample < this.#samples; sample++) this.#store(sample, offset, partition);
    if (this.#mixed.length > 0) this.#mixed.length = 0;
    return true;
  }

  /** @returns false when there is no room for its points */
  #decodeBy(decoder: PayloadDecoder, batch: RecordBatch, index: number): boolean {
    const message = this.#message;
    const source = batch.sources[batch.sourceIndex[index]!]!;
    message.data = batch.data;
    message.start = batch.starts[index]!;
    message.end = batch.ends[index]!;
    message.device = source.device;
    message.topic = source.topic;
    message.arrivalMs = this.#arrivalMs;
    message.partition = batch.partition;
    message.offset = batch.firstOffset + index;
    decoder.decode(message, this);
    const { memtable } = this.#parts;
    // What is packed or compressed has more points than JSON of its size.
    const bytes = this.#numbersUsed * JSON_POINT_BYTES + this.#textUnits();
    if (bytes > message.end - message.start && !memtable.hasRoomFor(bytes)) {
      if (memtable.points > 0) return false;
      throw new PayloadError('too-large', 'The memory for points cannot hold what is in this message.');
    }
    decoder.taken?.(message);
    return true;
  }

  #textUnits(): number {
    let units = 0;
    for (const values of this.#mixed) {
      if (values === undefined) continue;
      for (const value of values) if (typeof value === 'string') units += value.length;
    }
    return units;
  }

  #takeBack(): void {
    this.#parts.devices.rollback();
    this.#refusal = undefined;
    this.#mixed.length = 0;
    this.#unitsKept.length = 0;
  }

  unitKept(metric: string, unit: string): void {
    if (this.#unitsKept.length < MAX_UNITS_KEPT) this.#unitsKept.push([metric, unit]);
  }

  /** What is wrong with the points of a record that counts. */
  #judge(offset: number, partition: number): void {
    const { quality } = this.#parts;
    const { id: device, facts } = this.#device;
    if (!quality.isCounted(partition, offset)) {
      if (facts?.ranges !== undefined) {
        const [samples, shapes, slots, times] = [this.#samples, this.#shapes, this.#slots, this.#times];
        judge({ device, samples, shapes, slots, times, numbers: this.#numbers, mixed: this.#mixed }, facts.ranges, quality);
      }
      const timeMs = this.#times[0] ?? this.#arrivalMs;
      for (const [metric, detail] of this.#unitsKept) {
        quality.note({ device, metric, kind: 'unknown-unit', timeMs, value: '', detail });
      }
    }
    this.#unitsKept.length = 0;
  }

  numbers(shape: Shape, timeMs: number, values: Float64Array): void {
    const slots = this.#slotsOf(shape);
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
    const slots = this.#slotsOf(shape);
    while (this.#mixed.length < this.#samples) this.#mixed.push(undefined);
    this.#mixed[this.#samples] = values;
    this.#slots[this.#samples] = slots;
    this.#times[this.#samples++] = timeMs === NO_TIME ? this.#assignTime() : timeMs;
    this.#numbersUsed += slots.length;
    if (this.#numbersUsed > this.#numbers.length) this.#growNumbers(this.#numbersUsed);
  }

  #slotsOf(shape: Shape): Int32Array {
    const { devices } = this.#parts;
    this.#shapes[this.#samples] = shape;
    const slots = devices.slots(this.#device, shape);
    if (slots !== undefined) return slots;
    this.#refusal ??= devices.refusal;
    return new Int32Array(shape.names.length);
  }

  /** Takes back what the record has added, and leaves only what was known before it. */
  #keepKnown(batch: RecordBatch, index: number, refusal: SeriesRefusal): void {
    const { devices } = this.#parts;
    this.#refusal = undefined;
    devices.rollback();
    for (let sample = 0; sample < this.#samples; sample++) {
      this.#slots[sample] = devices.knownSlots(this.#device, this.#shapes[sample]!);
    }
    const code = refusal.scope === 'device' ? 'telemetry.too-many-metrics' : 'telemetry.too-many-series';
    this.refuse(batch, index, code, refusalText(refusal));
    this.#parts.onRefused(this.#device, refusal, this.#arrivalMs);
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
      if (series === NO_SERIES) continue;
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
