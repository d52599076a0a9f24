import { z } from 'zod';
import type { LatestValue, LiveUpdate } from '../telemetry/telemetry-queries.ts';

export const pointSchema = z
  .tuple([z.number().describe('ms since 1970 UTC'), z.union([z.number(), z.boolean(), z.string()])])
  .describe('[ms, value]');

export const latestSchema = z.record(z.string(), pointSchema).describe('The newest point of each metric.');

export const seriesSchema = z.record(z.string(), z.array(pointSchema)).describe('The points of each metric, ascending in time.');

/** `{"metric":[ms,value],…}`. Written as text: a metric may be called `__proto__`. */
export function latestToJson(values: readonly LatestValue[]): string {
  let text = '{';
  for (const { metric, timeMs, value } of values) {
    text += `${text.length > 1 ? ',' : ''}${JSON.stringify(metric)}:[${timeMs},${JSON.stringify(value)}]`;
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
