import type { ApiClient } from './client.ts';
import { asObject, objects, optionalNumber, optionalText, text, type Json } from './json.ts';

/** What a device type says of one metric. */
export interface MetricSchema {
  readonly metric: string;
  readonly unit: string | undefined;
  /** Of a number; inclusive. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface DeviceType {
  readonly name: string;
  /** The decoder that reads what its devices send; absent: the platform's own JSON. */
  readonly codec: string | undefined;
  readonly telemetry: readonly MetricSchema[];
}

export async function fetchAllDeviceTypes(client: ApiClient, signal?: AbortSignal): Promise<readonly DeviceType[]> {
  return objects(asObject(await client.get('/device-types', { signal }), 'device types'), 'items', typeFrom);
}

/** The names of all device types, in their order. */
export async function fetchDeviceTypes(client: ApiClient, signal?: AbortSignal): Promise<readonly string[]> {
  return (await fetchAllDeviceTypes(client, signal)).map(({ name }) => name);
}

export async function fetchDeviceType(client: ApiClient, name: string, signal?: AbortSignal): Promise<DeviceType> {
  return typeFrom(asObject(await client.get(`/device-types/${encodeURIComponent(name)}`, { signal }), 'device type'));
}

function typeFrom(source: Json): DeviceType {
  return {
    name: text(source, 'name'),
    codec: optionalText(source, 'codec'),
    telemetry: objects(source, 'telemetry', (metric) => ({
      metric: text(metric, 'metric'),
      unit: optionalText(metric, 'unit'),
      min: optionalNumber(metric, 'min'),
      max: optionalNumber(metric, 'max'),
    })),
  };
}
