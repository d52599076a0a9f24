import { useQuery } from '@tanstack/react-query';
import { fetchDeviceType, type MetricSchema } from '../api/device-types.ts';
import type { LatestValue } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';

export type MetricSchemas = ReadonlyMap<string, MetricSchema>;

const NONE: MetricSchemas = new Map();

/** What the type of a device says of its metrics; empty where it has none, or the caller may not read it. */
export function useMetricSchemas(type: string | undefined): MetricSchemas {
  const { client } = useServices();
  const { may } = useWho();
  const { data } = useQuery({
    queryKey: ['device-type', type],
    queryFn: ({ signal }) => fetchDeviceType(client, type ?? '', signal),
    enabled: type !== undefined && may('types:read'),
    select: schemasOf,
    retry: false,
  });
  return data ?? NONE;
}

/** A value that the live feed brought is not marked: the type says whether it is within its range. */
export function isOutOfRange({ value, isOutOfRange: marked }: LatestValue, schema: MetricSchema | undefined): boolean {
  if (schema === undefined) return marked === true;
  return typeof value === 'number' && (value < (schema.min ?? -Infinity) || value > (schema.max ?? Infinity));
}

/** As `0 … 50 °C`, `at most 50 °C`. */
export function rangeWords({ min, max, unit }: MetricSchema): string {
  const end = unit === undefined ? '' : ` ${unit}`;
  if (min !== undefined && max !== undefined) return `${min} … ${max}${end}`;
  return min === undefined ? `at most ${max}${end}` : `at least ${min}${end}`;
}

function schemasOf({ telemetry }: { readonly telemetry: readonly MetricSchema[] }): MetricSchemas {
  return new Map(telemetry.map((schema) => [schema.metric, schema]));
}
