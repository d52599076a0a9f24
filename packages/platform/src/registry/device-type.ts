import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { TYPE_NAME_PATTERN, type Device } from './device.ts';
import { CompiledSchema } from './json-schema/compiled-schema.ts';

/** One metric that devices of a type send. */
export interface MetricSchema {
  readonly metric: string;
  /** As people write it: `°C`, `kWh`. */
  readonly unit?: string | undefined;
  readonly type: 'number' | 'boolean' | 'text';
  /** Of a number; inclusive. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** What one of the shadows of devices of a type may hold. */
export interface ShadowSchema {
  /** The name of the shadow; '' or absent: the classic one. */
  readonly shadow?: string | undefined;
  /** JSON Schema of what is desired: what does not fit is refused. Absent: anything. */
  readonly desired?: Readonly<Record<string, unknown>> | undefined;
  /** JSON Schema of what is reported: a device is believed whatever it says, what does not fit is shown as such. */
  readonly reported?: Readonly<Record<string, unknown>> | undefined;
}

export interface DeviceTypeDraft {
  readonly name: string;
  readonly description?: string | undefined;
  /** What devices of this type send; empty: anything. */
  readonly telemetry?: readonly MetricSchema[] | undefined;
  /** Empty: any. A device names its own in the attribute `hardwareVersion`. */
  readonly hardwareVersions?: readonly string[] | undefined;
  /** How its payloads are read; undefined or empty: as the platform reads telemetry. */
  readonly codec?: string | undefined;
  /** Series that its devices may have together; 0 or undefined: as configured. */
  readonly maxSeries?: number | undefined;
  /** Series that one of its devices may have; 0 or undefined: as configured. */
  readonly maxSeriesPerDevice?: number | undefined;
  /** Each for another shadow. */
  readonly shadowSchemas?: readonly ShadowSchema[] | undefined;
}

export interface DeviceType {
  readonly name: string;
  readonly description?: string;
  readonly telemetry: readonly MetricSchema[];
  readonly hardwareVersions: readonly string[];
  readonly codec?: string;
  readonly maxSeries?: number;
  readonly maxSeriesPerDevice?: number;
  readonly shadowSchemas: readonly ShadowSchema[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export const MAX_METRICS = 256;
export const MAX_SERIES = 1_000_000_000;
export const MAX_HARDWARE_VERSIONS = 64;
/** As long as what a point can be stored under. */
export const MAX_METRIC_NAME = 256;
export const MAX_UNIT = 32;
export const MAX_DESCRIPTION = 1000;
export const MAX_SHADOW_SCHEMAS = 16;
/** As AWS has them. */
export const SHADOW_NAME_PATTERN = /^[$A-Za-z0-9:_-]{1,64}$/;
export const HARDWARE_VERSION_ATTRIBUTE = 'hardwareVersion';
export const HARDWARE_VERSION_PATTERN = /^[A-Za-z0-9:_.+-]{1,64}$/;
const CODEC_NAME = /^[A-Za-z0-9:_.-]{1,64}$/;

/** @throws SelsynError `request.invalid` that says which field is wrong. */
export function checkTypeDraft(draft: DeviceTypeDraft): void {
  const { name, description, telemetry = [], hardwareVersions = [], codec, shadowSchemas = [] } = draft;
  if (!TYPE_NAME_PATTERN.test(name)) throw invalid('name', 'the name of a device type is 1 to 64 of A-Z a-z 0-9 : _ . -');
  if (description !== undefined && description.length > MAX_DESCRIPTION) {
    throw invalid('description', `a description has at most ${MAX_DESCRIPTION} characters`);
  }
  if (telemetry.length > MAX_METRICS) throw invalid('telemetry', `a device type has at most ${MAX_METRICS} metrics`);
  const seen = new Set<string>();
  for (const metric of telemetry) {
    checkMetric(metric);
    if (seen.has(metric.metric)) throw invalid('telemetry', `the metric ${metric.metric} stands there twice`);
    seen.add(metric.metric);
  }
  if (hardwareVersions.length > MAX_HARDWARE_VERSIONS) {
    throw invalid('hardwareVersions', `a device type has at most ${MAX_HARDWARE_VERSIONS} hardware versions`);
  }
  if (!hardwareVersions.every((version) => HARDWARE_VERSION_PATTERN.test(version))) {
    throw invalid('hardwareVersions', 'a hardware version is 1 to 64 of A-Z a-z 0-9 : _ . + -');
  }
  if (new Set(hardwareVersions).size !== hardwareVersions.length) {
    throw invalid('hardwareVersions', 'a hardware version stands there twice');
  }
  if (codec !== undefined && codec !== '' && !CODEC_NAME.test(codec)) {
    throw invalid('codec', 'the name of a codec is 1 to 64 of A-Z a-z 0-9 : _ . -');
  }
  checkLimit('maxSeries', draft.maxSeries);
  checkLimit('maxSeriesPerDevice', draft.maxSeriesPerDevice);
  checkShadowSchemas(shadowSchemas);
}

/** Whether a device may be of a type as it is. @throws SelsynError `request.invalid` */
export function checkAgainstType(device: Pick<Device, 'attributes'>, type: DeviceType): void {
  const version = device.attributes[HARDWARE_VERSION_ATTRIBUTE];
  if (version === undefined || version === null || type.hardwareVersions.length === 0) return;
  if (typeof version === 'string' && type.hardwareVersions.includes(version)) return;
  throw invalid(
    'attributes',
    `the device type ${type.name} has the hardware versions ${type.hardwareVersions.join(', ')}, not ${JSON.stringify(version).slice(0, 80)}`,
  );
}

function checkLimit(field: string, limit: number | undefined): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0 && limit <= MAX_SERIES)) return;
  throw invalid(field, `a limit of series is a whole number from 0 to ${MAX_SERIES}`);
}

function checkMetric({ metric, unit, type, min, max }: MetricSchema): void {
  if (metric.length === 0 || metric.length > MAX_METRIC_NAME) {
    throw invalid('telemetry', `the name of a metric has 1 to ${MAX_METRIC_NAME} characters`);
  }
  if (unit !== undefined && (unit.length === 0 || unit.length > MAX_UNIT)) {
    throw invalid('telemetry', `the unit of ${metric} has 1 to ${MAX_UNIT} characters`);
  }
  if (min === undefined && max === undefined) return;
  if (type !== 'number') throw invalid('telemetry', `only numbers have a range, and ${metric} is ${type}`);
  if (!Number.isFinite(min ?? 0) || !Number.isFinite(max ?? 0))
    throw invalid('telemetry', `the range of ${metric} is not finite`);
  if (min !== undefined && max !== undefined && min > max) {
    throw invalid('telemetry', `the range of ${metric} is empty: ${min} is above ${max}`);
  }
}

function checkShadowSchemas(schemas: readonly ShadowSchema[]): void {
  if (schemas.length > MAX_SHADOW_SCHEMAS) {
    throw invalid('shadowSchemas', `a device type has schemas of at most ${MAX_SHADOW_SCHEMAS} shadows`);
  }
  const seen = new Set<string>();
  for (const { shadow = '', desired, reported } of schemas) {
    if (shadow !== '' && !SHADOW_NAME_PATTERN.test(shadow))
      throw invalid('shadowSchemas', 'the name of a shadow is 1 to 64 of A-Z a-z 0-9 : _ - $');
    if (seen.has(shadow))
      throw invalid('shadowSchemas', `the shadow ${shadow === '' ? 'without a name' : shadow} stands there twice`);
    seen.add(shadow);
    for (const [section, schema] of [['desired', desired] as const, ['reported', reported] as const]) {
      try {
        if (schema !== undefined) void new CompiledSchema(schema);
      } catch (error) {
        if (!isSelsynError(error, 'request.invalid')) throw error;
        const where = `${section}${shadow === '' ? '' : ` of ${shadow}`}`;
        throw new SelsynError('request.invalid', `${where}: ${error.message}`, {
          cause: error,
          details: { field: 'shadowSchemas' },
        });
      }
    }
  }
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
