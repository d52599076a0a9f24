import protobuf from 'protobufjs/minimal.js';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { unpack } from '../compression.ts';

/*
 * The payload of Sparkplug B, protobuf (Eclipse Sparkplug 3.0.0, section 6.4.1, sparkplug_b.proto). What telemetry does not need is stepped
 * over unread: data sets, templates, metadata, extensions.
 *
 *   Payload     1 timestamp   2 metrics*   3 seq   4 uuid   5 body
 *   Metric      1 name   2 alias   3 timestamp   4 datatype   5 is_historical   6 is_transient   7 is_null   8 metadata   9 properties
 *               10 int   11 long   12 float   13 double   14 boolean   15 string   16 bytes   17 dataset   18 template   19 extension
 *   PropertySet    1 keys*   2 values*
 *   PropertyValue  1 type   2 is_null   3 int   4 long   5 float   6 double   7 boolean   8 string   9 propertyset   10 propertysets
 */

export interface SparkplugMetric {
  name: string | undefined;
  /** A number, or the digits of one that is beyond its precision. */
  alias: number | string | undefined;
  timestampMs: number | undefined;
  /** 0 where it is not said. */
  datatype: number;
  isNull: boolean;
  /** Number of the field that the value is in; 0: none. */
  field: number;
  value: number | boolean | string | undefined;
  /** Of a long: its upper half; `value` is the lower one, both unsigned. */
  high: number;
  /** The property `engUnit`. */
  unit: string | undefined;
}

export interface SparkplugPayload {
  readonly timestampMs: number | undefined;
  readonly seq: number | undefined;
  readonly metrics: readonly SparkplugMetric[];
}

/** More would be the work of whoever wants to keep this thread busy: the shortest have two bytes. */
export const MAX_MESSAGE_METRICS = 20_000;
/** As the libraries of Eclipse Tahu mark what they have packed. */
const PACKED = 'SPBV1.0_COMPRESSED';
/** Of the properties of a metric those that are looked at. */
const MAX_PROPERTIES = 64;
const MAX_UNIT = 32;

export const INT_FIELD = 10;
export const LONG_FIELD = 11;
export const FLOAT_FIELD = 12;
export const DOUBLE_FIELD = 13;
export const BOOLEAN_FIELD = 14;
export const STRING_FIELD = 15;

/** @throws PayloadError for what is no payload, whatever the bytes */
export function readSparkplug(data: Uint8Array, start: number, end: number): SparkplugPayload {
  try {
    const { uuid, body, ...payload } = readPayload(data.subarray(start, end));
    if (uuid !== PACKED) return payload;
    const plain = readPayload(unpack(isGzip(payload.metrics) ? 'gzip' : 'zlib', body ?? new Uint8Array()));
    // The sequence number stands on the outside, or inside, by library.
    return { ...plain, seq: plain.seq ?? payload.seq };
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    // What protobufjs throws is a RangeError where bytes are missing, else an Error.
    throw new PayloadError(
      'malformed',
      `The message is no Sparkplug payload: ${String(error instanceof Error ? error.message : error).slice(0, 100)}.`,
    );
  }
}

/** As a number; a long is unsigned or, for `isSigned`, two's complement. */
export function numberOf({ field, value, high }: SparkplugMetric, isSigned: boolean): number | undefined {
  if (typeof value !== 'number') return undefined;
  if (field !== LONG_FIELD) return value;
  return (isSigned ? high | 0 : high) * 0x1_0000_0000 + value;
}

function readPayload(bytes: Uint8Array) {
  const reader = protobuf.Reader.create(bytes);
  let timestampMs: number | undefined;
  let seq: number | undefined;
  let uuid: string | undefined;
  let body: Uint8Array | undefined;
  const metrics: SparkplugMetric[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === field(1, VARINT)) timestampMs = unsigned(reader);
    else if (tag === field(2, BYTES)) {
      if (metrics.length >= MAX_MESSAGE_METRICS) {
        throw new PayloadError('too-large', `The message has more than ${MAX_MESSAGE_METRICS} metrics.`);
      }
      metrics.push(readMetric(reader, endOf(reader)));
    } else if (tag === field(3, VARINT)) seq = unsigned(reader);
    else if (tag === field(4, BYTES)) uuid = reader.string();
    else if (tag === field(5, BYTES)) body = reader.bytes();
    else skip(reader, tag);
  }
  return { timestampMs, seq, uuid, body, metrics };
}

function readMetric(reader: protobuf.Reader, end: number): SparkplugMetric {
  const metric: SparkplugMetric = {
    name: undefined,
    alias: undefined,
    timestampMs: undefined,
    datatype: 0,
    isNull: false,
    field: 0,
    value: undefined,
    high: 0,
    unit: undefined,
  };
  while (reader.pos < end) {
    const tag = reader.uint32();
    const number = tag >>> 3;
    if (tag === field(1, BYTES)) metric.name = reader.string();
    else if (tag === field(2, VARINT)) metric.alias = aliasOf(reader);
    else if (tag === field(3, VARINT)) metric.timestampMs = unsigned(reader);
    else if (tag === field(4, VARINT)) metric.datatype = reader.uint32();
    else if (tag === field(7, VARINT)) metric.isNull = reader.bool();
    else if (tag === field(9, BYTES)) metric.unit = readUnit(reader, endOf(reader));
    else if (number >= INT_FIELD && number <= 19) readValue(reader, tag, metric);
    else skip(reader, tag);
  }
  if (reader.pos !== end) throw new Error('a metric is longer than it says');
  return metric;
}

/** Of several the last one counts, as in every oneof. */
function readValue(reader: protobuf.Reader, tag: number, metric: SparkplugMetric): void {
  metric.field = tag >>> 3;
  metric.value = undefined;
  if (tag === field(INT_FIELD, VARINT)) metric.value = reader.uint32();
  else if (tag === field(LONG_FIELD, VARINT)) {
    const { low, high } = bitsOf(reader);
    metric.value = low;
    metric.high = high;
  } else if (tag === field(FLOAT_FIELD, FIXED32)) metric.value = reader.float();
  else if (tag === field(DOUBLE_FIELD, FIXED64)) metric.value = reader.double();
  else if (tag === field(BOOLEAN_FIELD, VARINT)) metric.value = reader.bool();
  else if (tag === field(STRING_FIELD, BYTES)) metric.value = reader.string();
  else skip(reader, tag);
}

/** The property `engUnit` (section 6.4.13: keys and values stand in the same order). */
function readUnit(reader: protobuf.Reader, end: number): string | undefined {
  const keys: string[] = [];
  const values: (string | undefined)[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(1, BYTES)) {
      const key = reader.string();
      if (keys.length < MAX_PROPERTIES) keys.push(key);
    } else if (tag === field(2, BYTES)) {
      const text = readText(reader, endOf(reader));
      if (values.length < MAX_PROPERTIES) values.push(text);
    } else skip(reader, tag);
  }
  const unit = values[keys.indexOf('engUnit')];
  return unit === undefined || unit === '' || unit.length > MAX_UNIT ? undefined : unit;
}

function readText(reader: protobuf.Reader, end: number): string | undefined {
  let text: string | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(8, BYTES)) text = reader.string();
    else skip(reader, tag);
  }
  return text;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

function field(number: number, wireType: number): number {
  return (number << 3) | wireType;
}

/** Where the message that begins here ends. */
function endOf(reader: protobuf.Reader): number {
  const length = reader.uint32();
  if (length > reader.len - reader.pos) throw new Error('a field is longer than the message');
  return reader.pos + length;
}

function skip(reader: protobuf.Reader, tag: number): void {
  const wireType = tag & 7;
  // Groups nest, and nothing of Sparkplug has any.
  if (wireType === 3 || wireType === 4 || tag >>> 3 === 0) throw new Error(`a field of wire type ${wireType}`);
  reader.skipType(wireType);
}

/** The halves of a number of 64 bits, unsigned. */
function bitsOf(reader: protobuf.Reader): { readonly low: number; readonly high: number } {
  const value: unknown = reader.uint64();
  if (typeof value === 'number') return { low: value % 0x1_0000_0000, high: Math.floor(value / 0x1_0000_0000) };
  const { low, high } = value as { readonly low: number; readonly high: number }; // a Long
  return { low: low >>> 0, high: high >>> 0 };
}

function unsigned(reader: protobuf.Reader): number {
  const { low, high } = bitsOf(reader);
  return high * 0x1_0000_0000 + low;
}

function aliasOf(reader: protobuf.Reader): number | string {
  const { low, high } = bitsOf(reader);
  const number = high * 0x1_0000_0000 + low;
  return Number.isSafeInteger(number) ? number : `${high}:${low}`;
}

function isGzip(metrics: readonly SparkplugMetric[]): boolean {
  return metrics.some(({ name, value }) => name === 'algorithm' && typeof value === 'string' && value.toUpperCase() === 'GZIP');
}
