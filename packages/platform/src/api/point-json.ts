import { z } from 'zod';
import { isOutOfRange } from '../payloads/metric-ranges.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { LatestValue, LiveUpdate } from '../telemetry/telemetry-queries.ts';

export const pointSchema = z
  .tuple([z.number().describe('ms since 1970 UTC'), z.union([z.number(), z.boolean(), z.string()])])
  .describe('[ms, value]');

export const latestSchema = z
  .record(
    z.string(),
    pointSchema.or(
      z
        .tuple([z.number(), z.union([z.number(), z.boolean(), z.string()]), z.object({ outOfRange: z.literal(true) })])
        .describe('[ms, value, { outOfRange: true }]: beyond the range that the device type gives the metric.'),
    ),
  )
  .describe('The newest point of each metric.');

export const seriesSchema = z.record(z.string(), z.array(pointSchema)).describe('The points of each metric, ascending in time.');

/**
 * `{"metric":[ms,value],…}`, and `[ms,value,{"outOfRange":true}]` for what is beyond the range in the schema of the device type. Written
 * as text: a metric may be called `__proto__`.
 */
export function latestToJson(values: readonly LatestValue[], schema: readonly MetricSchema[] = []): string {
  const ranges = new Map(schema.map((metric) => [metric.metric, metric]));
  let text = '{';
  for (const { metric, timeMs, value } of values) {
    const range = ranges.get(metric);
    const mark = range !== undefined && isOutOfRange(value, range) ? ',{"outOfRange":true}' : '';
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(metric)}:[${timeMs},${JSON.stringify(value)}${mark}]`;
  }
  return `${text}}`;
}

/** `{"device":{"metric":[ms,value],…},…}`; a later update of the same device wins, metric by metric. */
export function updatesToJson(updates: readonly LiveUpdate[]): string {
  const devices = new Map<string, LiveUpdate['values']>();
  for (const { device, values } of updates) {
    const before = devices.get(device);
    devices.set(device, before === undefined ? values : mergeLatest(before, values));
  }
  let text = '{';
  for (const [device, values] of devices)
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(device)}:${latestToJson(values)}`;
  return `${text}}`;
}

function mergeLatest(before: readonly LatestValue[], after: readonly LatestValue[]): readonly LatestValue[] {
  const merged = new Map(before.map((value) => [value.metric, value]));
  for (const value of after) merged.set(value.metric, value);
  return [...merged.values()];
}
