import type { DevicesOfType, ParquetFiles } from '../columnar/parquet-files.ts';
import type { CurrentObject } from './manifest.ts';

/** What type devices are of, as the registry says now. */
export interface DeviceTypes {
  /** All devices that have a type, in pieces of some thousands. */
  all(): AsyncIterable<DevicesOfType>;
  /** Of these; those without a type are missing. */
  of(devices: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/**
 * Types of devices for what is archived again: a device stays under the type under which the hour has it already. A point
 * would be in two objects else, once under the old type of its device and once under the new one.
 */
export class ArchivedTypes implements Pick<DeviceTypes, 'all'> {
  readonly #types: DeviceTypes;
  /** Only where the registry says otherwise; undefined: without a type. */
  readonly #other = new Map<string, string | undefined>();

  constructor(types: DeviceTypes) {
    this.#types = types;
  }

  /** Notes what is in an object of the archive, of a range of time. */
  async add(
    parquet: Pick<ParquetFiles, 'devices'>,
    object: CurrentObject,
    path: string,
    range: { readonly fromMs: number; readonly toMs: number },
  ): Promise<void> {
    for await (const batch of parquet.devices([path], range)) {
      const devices = batch.map(({ device }) => device);
      const now = await this.#types.of(devices);
      for (const device of devices) if (now.get(device) !== object.deviceType) this.#other.set(device, object.deviceType);
    }
  }

  async *all(): AsyncGenerator<DevicesOfType> {
    for await (const { type, devices } of this.#types.all()) {
      yield { type, devices: devices.filter((device) => !this.#other.has(device)) };
    }
    for (const [type, entries] of Map.groupBy(this.#other, ([, archived]) => archived)) {
      if (type !== undefined) yield { type, devices: entries.map(([device]) => device) };
    }
  }
}
