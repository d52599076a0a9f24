import type { ParquetFacts } from '../columnar/parquet-files.ts';
import { SelsynError } from '../kernel/errors.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { CurrentObject } from './manifest.ts';
import type { StrayObject } from './stray-objects.ts';

/** Whether one object can have been made of another: later, of the same hour, or of all of the day. */
export function isSuccessor(newer: CurrentObject, older: CurrentObject): boolean {
  return newer.id > older.id && (newer.hour === undefined || newer.hour === older.hour);
}

/** Whether two of them may have the same point. */
export function mayShare(objects: readonly CurrentObject[]): boolean {
  return anyTwo(objects, (one, other) => one.firstMs <= other.lastMs && other.firstMs <= one.lastMs);
}

/** Whether two of them are of the same hours and overlap in their devices: objects of the same hours share out the devices among them. */
export function mustBeOne(objects: readonly CurrentObject[]): boolean {
  return anyTwo(objects, (one, other) => one.hour === other.hour);
}

/** Of those that overlap in their devices. */
function anyTwo(objects: readonly CurrentObject[], is: (one: CurrentObject, other: CurrentObject) => boolean): boolean {
  return objects.some((one, index) =>
    objects
      .slice(index + 1)
      .some((other) => one.firstDevice <= other.lastDevice && other.firstDevice <= one.lastDevice && is(one, other)),
  );
}

type Span = Pick<CurrentObject, 'rows' | 'firstMs' | 'lastMs' | 'firstDevice' | 'lastDevice'>;

/** @throws SelsynError `data.corrupt` where it is not of the day, or the hour, that its key says */
export function checkedFacts(facts: ParquetFacts, { key, day, hour }: StrayObject): Span {
  const { rows, minTimeMs, maxTimeMs, firstDevice, lastDevice } = facts;
  const fromMs = day * DAY_MS + (hour ?? 0) * HOUR_MS;
  const toMs = fromMs + (hour === undefined ? DAY_MS : HOUR_MS);
  if (minTimeMs === undefined || maxTimeMs === undefined || firstDevice === undefined || lastDevice === undefined) {
    throw new SelsynError('data.corrupt', `the object ${key} has no points`, { details: { key } });
  }
  if (minTimeMs < fromMs || maxTimeMs >= toMs) {
    throw new SelsynError('data.corrupt', `the object ${key} has points of another time`, { details: { key } });
  }
  return { rows, firstMs: minTimeMs, lastMs: maxTimeMs, firstDevice, lastDevice };
}
