import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database } from '../database/schema.ts';
import { DeviceTypeStore } from '../registry/device-type-store.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { Clock } from '../kernel/clock.ts';

/** What the type of a device says of its metrics, for those who ask often: a type is read again once it was changed. */
export class DeviceSchemas {
  readonly #types: DeviceTypeStore;
  readonly #typeOf: PreparedLookup<{ readonly name: string; readonly updated_at_ms: number }>;
  readonly #known = new Map<string, { readonly updatedAtMs: number; readonly metrics: readonly MetricSchema[] }>();

  constructor({ database, clock }: { readonly database: Database; readonly clock: Clock }) {
    this.#types = new DeviceTypeStore({ database, clock });
    this.#typeOf = new PreparedLookup(database, (device) =>
      database
        .selectFrom('device')
        .innerJoin('device_type', 'device_type.name', 'device.type')
        .select(['device_type.name', 'device_type.updated_at_ms'])
        .where('device.id', '=', device),
    );
  }

  /** Empty where the device has no type. */
  async of(device: string): Promise<readonly MetricSchema[]> {
    const [type] = await this.#typeOf.find(device);
    if (type === undefined) return [];
    const updatedAtMs = Number(type.updated_at_ms);
    const known = this.#known.get(type.name);
    if (known?.updatedAtMs === updatedAtMs) return known.metrics;
    const metrics = (await this.#types.find(type.name))?.telemetry ?? [];
    this.#known.set(type.name, { updatedAtMs, metrics });
    return metrics;
  }
}
