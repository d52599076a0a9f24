import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import type { SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME } from '@selsyn/wire/payload/telemetry-payload.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import { isOutOfRange } from './metric-ranges.ts';
import type { PayloadDecoder, PayloadVisitor } from './payload-decoder.ts';

export interface TrialPoint {
  readonly metric: string;
  /** Absent: the message names no time, and the one of its arrival counts. */
  readonly timeMs?: number;
  readonly value: SampleValue;
  readonly unit?: string;
  /** Beyond the range that the type gives the metric. */
  readonly outOfRange?: true;
}

/** What a message would become. */
export interface Trial {
  /** The first `MAX_TRIAL_POINTS`. */
  readonly points: readonly TrialPoint[];
  readonly count: number;
  /** Values in units from which there is no way to that of the type. */
  readonly unitsKept: readonly { readonly metric: string; readonly unit: string }[];
  /** Why nothing of it would be stored. */
  readonly error?: { readonly code: string; readonly reason: string };
}

export const MAX_TRIAL_POINTS = 1000;
const MAX_UNITS_KEPT = 100;

/** Reads a message as it would be read if a device had sent it now, and stores nothing. */
export function tryDecoder(
  decoder: PayloadDecoder,
  payload: Uint8Array,
  options: {
    readonly arrivalMs: number;
    readonly metrics: readonly MetricSchema[];
    readonly device?: string;
    readonly topic?: string;
  },
): Trial {
  const { arrivalMs, metrics, device = 'trial', topic = `telemetry/${device}` } = options;
  const sheet = new TrialSheet(metrics);
  const message = { data: payload, start: 0, end: payload.length, device, topic, arrivalMs, partition: 0, offset: 0 };
  try {
    decoder.decode(message, sheet);
  } catch (error) {
    const nothing = { points: [], count: 0, unitsKept: [] };
    if (error instanceof PayloadError) return { ...nothing, error: { code: CODES[error.code], reason: error.message } };
    if (isSelsynError(error)) return { ...nothing, error: { code: error.code, reason: error.message } };
    throw error;
  }
  return { points: sheet.points, count: sheet.count, unitsKept: sheet.unitsKept };
}

/** As dead letters have them. */
const CODES: Readonly<Record<PayloadError['code'], string>> = {
  malformed: 'telemetry.malformed',
  'bad-time': 'telemetry.bad-time',
  'too-many-metrics': 'telemetry.too-many-metrics',
  'too-large': 'request.too-large',
};

class TrialSheet implements PayloadVisitor {
  readonly points: TrialPoint[] = [];
  readonly unitsKept: { metric: string; unit: string }[] = [];
  count = 0;
  readonly #metrics: ReadonlyMap<string, MetricSchema>;

  constructor(metrics: readonly MetricSchema[]) {
    this.#metrics = new Map(metrics.map((metric) => [metric.metric, metric]));
  }

  numbers({ names }: Shape, timeMs: number, values: Float64Array): void {
    names.forEach((metric, index) => this.#add(metric, timeMs, values[index]!));
  }

  mixed({ names }: Shape, timeMs: number, values: readonly SampleValue[]): void {
    names.forEach((metric, index) => this.#add(metric, timeMs, values[index]!));
  }

  unitKept(metric: string, unit: string): void {
    if (this.unitsKept.length < MAX_UNITS_KEPT) this.unitsKept.push({ metric, unit });
  }

  #add(metric: string, timeMs: number, value: SampleValue): void {
    this.count++;
    if (this.points.length >= MAX_TRIAL_POINTS) return;
    const schema = this.#metrics.get(metric);
    this.points.push({
      metric,
      ...(timeMs !== NO_TIME && { timeMs }),
      value,
      ...(schema?.unit !== undefined && { unit: schema.unit }),
      ...(schema !== undefined && isOutOfRange(value, schema) && { outOfRange: true as const }),
    });
  }
}
