import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import type { SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import { decimalOf } from '../float32.ts';
import { FLOAT_FIELD, numberOf, type SparkplugMetric } from './sparkplug-payload.ts';

/** Data types (Eclipse Sparkplug 3.0.0, section 6.4.16). */
export const DATA_TYPES = [
  'Unknown',
  'Int8',
  'Int16',
  'Int32',
  'Int64',
  'UInt8',
  'UInt16',
  'UInt32',
  'UInt64',
  'Float',
  'Double',
  'Boolean',
  'String',
  'DateTime',
  'Text',
  'UUID',
  'DataSet',
  'Bytes',
  'File',
  'Template',
  'PropertySet',
  'PropertySetList',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Int64Array',
  'UInt8Array',
  'UInt16Array',
  'UInt32Array',
  'UInt64Array',
  'FloatArray',
  'DoubleArray',
  'BooleanArray',
  'StringArray',
  'DateTimeArray',
] as const;

export type DataType = (typeof DATA_TYPES)[number];

/** Why a metric is no series of telemetry. */
export const SKIP_REASONS = [
  'null',
  'no-value',
  'not-a-point',
  'wrong-field',
  'not-finite',
  'bad-text',
  'unknown-type',
  'bad-name',
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

export function dataTypeOf(number: number): DataType {
  return DATA_TYPES[number] ?? 'Unknown';
}

/** The value as a point has it, or why there is none. @param type of the metric: from the message, or from the birth */
export function valueOf(
  metric: SparkplugMetric,
  type: DataType,
): { readonly value: SampleValue } | { readonly skipped: SkipReason } {
  if (metric.isNull) return { skipped: 'null' };
  if (metric.field === 0) return { skipped: 'no-value' };
  switch (type) {
    case 'Int8':
      return numeric(metric, (value) => (value << 24) >> 24);
    case 'Int16':
      return numeric(metric, (value) => (value << 16) >> 16);
    case 'Int32':
      return numeric(metric, (value) => value | 0);
    case 'Int64':
      return numeric(metric, (value) => value, true);
    case 'UInt8':
    case 'UInt16':
    case 'UInt32':
    case 'UInt64':
    case 'DateTime':
    case 'Double':
      return numeric(metric, (value) => value);
    case 'Float':
      return numeric(metric, (value) => (metric.field === FLOAT_FIELD ? decimalOf(value) : value));
    case 'Boolean':
      return typeof metric.value === 'boolean' ? { value: metric.value } : { skipped: 'wrong-field' };
    case 'String':
    case 'Text':
    case 'UUID':
      return text(metric);
    case 'Unknown':
      return { skipped: 'unknown-type' };
    default:
      return { skipped: 'not-a-point' };
  }
}

function numeric(metric: SparkplugMetric, narrow: (value: number) => number, isSigned = false): ReturnType<typeof valueOf> {
  const value = numberOf(metric, isSigned);
  if (value === undefined) return { skipped: 'wrong-field' };
  return Number.isFinite(value) ? { value: narrow(value) } : { skipped: 'not-finite' };
}

function text({ value }: SparkplugMetric): ReturnType<typeof valueOf> {
  if (typeof value !== 'string') return { skipped: 'wrong-field' };
  // Too long, or with half of a character.
  return Buffer.byteLength(value) > PAYLOAD_LIMITS.maxTextBytes || !value.isWellFormed() ? { skipped: 'bad-text' } : { value };
}
