import { SelsynError } from '../../../kernel/errors.ts';

/*
 * Prometheus remote write 1.0 (prometheus.io/docs/specs/prw/remote_write_spec), in protobuf:
 *
 *   WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *   TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram = 4; }
 *   Label        { string name = 1; string value = 2; }
 *   Sample       { double value = 1; int64 timestamp = 2; }      ms since 1970
 */

/** One series of a write. */
export interface WrittenSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** Pairs of a time, ms, and a value. */
  readonly samples: readonly (readonly [timeMs: number, value: number])[];
  /** Native histograms, which are not kept. */
  readonly histograms: number;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const MAX_LABELS = 256;
/** Of one series. One that is empty has two bytes, and takes more than ten times as many to hold. */
const MAX_SAMPLES = 50_000;

/** The series of a WriteRequest, one after the other. @throws SelsynError `request.invalid` */
export function* seriesOf(data: Uint8Array): Generator<WrittenSeries> {
  const message = new ProtoReader(data);
  while (message.next()) {
    if (message.field === 1 && message.type === BYTES) yield readSeries(message.bytes());
    else message.skip();
  }
}

function readSeries(data: Uint8Array): WrittenSeries {
  const labels: (readonly [string, string])[] = [];
  const samples: (readonly [number, number])[] = [];
  let histograms = 0;
  const message = new ProtoReader(data);
  while (message.next()) {
    if (message.type !== BYTES) message.skip();
    else if (message.field === 1) {
      if (labels.length === MAX_LABELS) throw broken();
      labels.push(readLabel(message.bytes()));
    } else if (message.field === 2) {
      if (samples.length === MAX_SAMPLES)
        throw new SelsynError('request.too-large', `a series has at most ${MAX_SAMPLES} samples`);
      samples.push(readSample(message.bytes()));
    } else {
      if (message.field === 4) histograms++;
      message.skip();
    }
  }
  return { labels, samples, histograms };
}

function readLabel(data: Uint8Array): readonly [string, string] {
  let name = '';
  let value = '';
  const message = new ProtoReader(data);
  while (message.next()) {
    if (message.field === 1 && message.type === BYTES) name = textOf(message.bytes());
    else if (message.field === 2 && message.type === BYTES) value = textOf(message.bytes());
    else message.skip();
  }
  return [name, value];
}

function readSample(data: Uint8Array): readonly [number, number] {
  let timeMs = 0;
  let value = 0;
  const message = new ProtoReader(data);
  while (message.next()) {
    if (message.field === 1 && message.type === FIXED64) value = message.double();
    else if (message.field === 2 && message.type === VARINT) timeMs = message.int64();
    else message.skip();
  }
  return [timeMs, value];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(data: Uint8Array): string {
  try {
    return utf8.decode(data);
  } catch (cause) {
    throw broken(cause);
  }
}

/** The fields of one message of protobuf, in their order (protobuf.dev/programming-guides/encoding). */
class ProtoReader {
  /** Of the field that is read next. */
  field = 0;
  type = 0;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Steps to the next field: it is read, or skipped, before the next call. @returns false at the end */
  next(): boolean {
    if (this.#at === this.#data.length) return false;
    const tag = this.#varint();
    this.type = tag % 8;
    this.field = Math.floor(tag / 8);
    return true;
  }

  bytes(): Uint8Array {
    const length = this.#varint();
    return this.#data.subarray(this.#at, this.#step(length));
  }

  double(): number {
    return this.#view.getFloat64(this.#step(8) - 8, true);
  }

  /** Exact up to 2^53. */
  int64(): number {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#data[this.#step(1) - 1]!;
      const bits = byte & 0x7f;
      if (i < 4) low += bits * 2 ** (7 * i);
      else high += bits * 2 ** (7 * (i - 4));
      if (byte < 0x80) {
        const value = BigInt.asIntN(64, (BigInt(high) << 28n) + BigInt(low));
        return Number(value);
      }
    }
    throw broken();
  }

  skip(): void {
    if (this.type === VARINT) this.int64();
    else if (this.type === FIXED64) this.#step(8);
    else if (this.type === BYTES) this.#step(this.#varint());
    else if (this.type === FIXED32) this.#step(4);
    else throw broken();
  }

  /** @returns the position behind so many bytes, which is the next */
  #step(bytes: number): number {
    if (bytes > this.#data.length - this.#at) throw broken();
    return (this.#at += bytes);
  }

  /** Tags and lengths: below 2^35. */
  #varint(): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.#data[this.#step(1) - 1]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw broken();
  }
}

function broken(cause?: unknown): SelsynError {
  return new SelsynError('request.invalid', 'the body is not a WriteRequest of Prometheus', { cause });
}
