import { DAY_MS } from '../telemetry/day-file-schema.ts';

/** What Hive writes where a partition column is NULL; Spark, Athena, DuckDB and Arrow read it so. */
const NO_TYPE = '__HIVE_DEFAULT_PARTITION__';
const NUMBER_DIGITS = 6;

/** All keys of the archive begin so. */
export const ARCHIVE_PREFIX = 'device_type=';

/**
 * `device_type=meter/year=2026/month=11/day=22/07-000012.parquet`; of hours that were joined: `day-000031.parquet`.
 *
 * The number makes each key the only one of its kind for ever: an object is never replaced by another under the same key, so
 * that no reader meets two states under one name.
 */
export function objectKey(of: {
  readonly id: number;
  readonly deviceType: string | undefined;
  readonly day: number;
  readonly hour: number | undefined;
}): string {
  const [year, month, dayOfMonth] = new Date(of.day * DAY_MS)
    .toISOString()
    .slice(0, -14)
    .split(/(?<!^)-/);
  const hour = of.hour === undefined ? 'day' : String(of.hour).padStart(2, '0');
  const number = String(of.id).padStart(NUMBER_DIGITS, '0');
  const type = of.deviceType === undefined ? NO_TYPE : escapePartition(of.deviceType);
  return `${ARCHIVE_PREFIX}${type}/year=${year}/month=${month}/day=${dayOfMonth}/${hour}-${number}.parquet`;
}

/** As Hive and Spark escape values of partitions (`ExternalCatalogUtils.escapePathName`); names of types have no control characters. */
function escapePartition(value: string): string {
  const code = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  return value.replace(/["#%'*/:=?\\{}[\]^]/g, code);
}

/** What a key says of its object. */
export interface KeyFacts {
  readonly id: number;
  readonly deviceType: string | undefined;
  readonly day: number;
  readonly hour: number | undefined;
}

const KEY = /^device_type=([^/]+)\/year=(\d{4})\/month=(\d\d)\/day=(\d\d)\/(day|\d\d)-(\d{6,15})\.parquet$/;

/** Undefined for a key that `objectKey` does not make. */
export function parseObjectKey(key: string): KeyFacts | undefined {
  const [, type, year, month, dayOfMonth, hour, number] = KEY.exec(key) ?? [];
  if (type === undefined) return undefined;
  const facts = {
    id: Number(number),
    deviceType:
      type === NO_TYPE
        ? undefined
        : type.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
    day: Date.parse(`${year}-${month}-${dayOfMonth}`) / DAY_MS,
    hour: hour === 'day' ? undefined : Number(hour),
  };
  const isReal = Number.isInteger(facts.day) && facts.id > 0 && (facts.hour ?? 0) < 24;
  return isReal && objectKey(facts) === key ? facts : undefined;
}
