import { asObject } from '../api/json.ts';
import { latestFrom } from '../api/telemetry.ts';
import type { LiveUpdate } from './live-values.ts';

/** The data of a `values` event: `{"sensor123":{"temperature":[ms,value]}}`. @throws TypeError when it is something else. */
export function updatesFrom(data: string): LiveUpdate[] {
  const json: unknown = JSON.parse(data);
  return Object.entries(asObject(json, 'values')).map(([device, values]) => ({ device, values: latestFrom(values) }));
}
