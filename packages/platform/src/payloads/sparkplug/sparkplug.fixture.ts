import protobuf from 'protobufjs/minimal.js';
import { DATA_TYPES, type DataType } from './sparkplug-values.ts';

/** A metric as a test writes it. */
export interface TestMetric {
  readonly name?: string;
  readonly alias?: number;
  readonly ts?: number;
  readonly type?: DataType;
  readonly value?: number | bigint | boolean | string | null;
  readonly unit?: string;
  readonly historical?: boolean;
}

export interface TestPayload {
  readonly ts?: number;
  readonly seq?: number;
  readonly metrics?: readonly TestMetric[];
  readonly uuid?: string;
  readonly body?: Uint8Array;
}

/** Encodes as the schema of Eclipse has it. */
export function encodeSparkplug({ ts, seq, metrics = [], uuid, body }: TestPayload): Uint8Array {
  const writer = protobuf.Writer.create();
  if (ts !== undefined) writer.uint32(8).uint64(ts);
  for (const metric of metrics) {
    writer.uint32(18).fork();
    writeMetric(writer, metric);
    writer.ldelim();
  }
  if (seq !== undefined) writer.uint32(24).uint64(seq);
  if (uuid !== undefined) writer.uint32(34).string(uuid);
  if (body !== undefined) writer.uint32(42).bytes(body);
  return writer.finish();
}

function writeMetric(writer: protobuf.Writer, { name, alias, ts, type, value, unit, historical }: TestMetric): void {
  if (name !== undefined) writer.uint32(10).string(name);
  if (alias !== undefined) writer.uint32(16).uint64(alias);
  if (ts !== undefined) writer.uint32(24).uint64(ts);
  if (type !== undefined) writer.uint32(32).uint32(DATA_TYPES.indexOf(type));
  if (historical === true) writer.uint32(40).bool(true);
  if (value === null) writer.uint32(56).bool(true);
  if (unit !== undefined) {
    writer.uint32(74).fork();
    writer.uint32(10).string('quality').uint32(10).string('engUnit');
    writer.uint32(18).fork().uint32(8).uint32(3).uint32(24).uint32(192).ldelim();
    writer.uint32(18).fork().uint32(8).uint32(12).uint32(66).string(unit).ldelim();
    writer.ldelim();
  }
  if (typeof value === 'boolean') writer.uint32(112).bool(value);
  else if (typeof value === 'string') writer.uint32(122).string(value);
  else if (typeof value === 'bigint') {
    const unsigned = BigInt.asUintN(64, value);
    writer.uint32(88);
    writeVarint(writer, unsigned);
  } else if (typeof value === 'number') writeNumber(writer, value, type);
}

function writeNumber(writer: protobuf.Writer, value: number, type: DataType | undefined): void {
  if (type === 'Float') writer.uint32(101).float(value);
  else if (type === 'Double') writer.uint32(105).double(value);
  else if (type === 'Int64' || type === 'UInt64' || type === 'DateTime') {
    writer.uint32(88);
    writeVarint(writer, BigInt.asUintN(64, BigInt(value)));
  } else writer.uint32(80).uint32(value >>> 0);
}

/** The writer of a reader's test needs no Long. */
function writeVarint(writer: protobuf.Writer, value: bigint): void {
  const { low, high } = { low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) };
  writer.uint64({ low: low | 0, high: high | 0, unsigned: true });
}
