import type { Batch } from '../state/batch.ts';
import type { JsonObject, ShadowKey } from './shadow-document.ts';

/** What is known of a device besides its shadows. */
export interface ShadowDevice {
  readonly type: string | undefined;
  readonly group: string;
}

/** The registry, as far as shadows need it. */
export interface ShadowDevices {
  /** Those of the devices that there are. */
  find(devices: readonly string[]): Promise<ReadonlyMap<string, ShadowDevice>>;
}

/** What types and groups say about shadows of their devices. */
export interface ShadowRules {
  /** Called once for the shadows that a batch may change, before the other two are asked about them. Must cost next to nothing where there are no rules. */
  prepare(keys: readonly ShadowKey[], batch: Batch): Promise<void>;
  /** @param desired own and inherited together. @returns why it is refused. */
  desiredFault(key: ShadowKey, desired: JsonObject): string | undefined;
  /** What a shadow of this name that is made now inherits. */
  inheritedOf(key: ShadowKey): JsonObject | undefined;
}

/** Where no type has a schema and no group a default. */
export const NO_RULES: ShadowRules = {
  prepare: async () => {},
  desiredFault: () => undefined,
  inheritedOf: () => undefined,
};
