import type { Database } from '../../database/schema.ts';
import type { Batch } from '../../state/batch.ts';
import { TypeSchemas } from '../schema/type-schemas.ts';
import { sameJson } from '../same-json.ts';
import type { JsonObject, ShadowKey } from '../shadow-document.ts';
import type { ShadowDevice, ShadowDevices, ShadowRules } from '../shadow-hooks.ts';
import { DefaultTree } from './default-tree.ts';
import { MAX_INHERITED_BYTES } from './shadow-default.ts';
import { ShadowDefaultStore } from './shadow-default-store.ts';

/** What a device inherits in a shadow, or why it does not get that. */
export interface Inheritance {
  /** Undefined: nothing. */
  readonly inherited: JsonObject | undefined;
  readonly fault: string | undefined;
}

const NOTHING: Inheritance = { inherited: undefined, fault: undefined };

/** What groups and types say about the shadows of their devices: their defaults, and the schemas of the types. */
export class FleetRules implements ShadowRules {
  readonly schemas: TypeSchemas;
  readonly #registry: Database;
  readonly #devices: ShadowDevices;
  #tree: DefaultTree | undefined;
  #places: ReadonlyMap<string, ShadowDevice> = new Map();
  /** Devices of one type in one group share what they inherit, so that it is checked once. */
  readonly #faults = new WeakMap<JsonObject, { readonly version: string; readonly fault: string | undefined }>();

  constructor(dependencies: { readonly registry: Database; readonly devices: ShadowDevices }) {
    this.#registry = dependencies.registry;
    this.#devices = dependencies.devices;
    this.schemas = new TypeSchemas(dependencies.registry);
  }

  async prepare(keys: readonly ShadowKey[], batch: Batch): Promise<void> {
    const { version } = this.schemas;
    await this.schemas.refresh();
    // Defaults end with their types.
    if (this.schemas.version !== version) this.forget();
    const tree = await this.defaults(batch);
    const isSilent = this.schemas.isEmpty && tree.shadows.size === 0;
    this.#places = isSilent ? new Map() : await this.#devices.find([...new Set(keys.map(({ device }) => device))]);
  }

  desiredFault(key: ShadowKey, desired: JsonObject): string | undefined {
    const fault = this.schemas.of(this.#places.get(key.device)?.type, key.shadow)?.desiredFault(desired);
    if (fault === undefined) return undefined;
    // Defaults alone need not be all that is required: the rest may come from the device.
    const inheritance = this.inheritanceOf(key);
    return inheritance.inherited !== undefined && sameJson(inheritance.inherited, desired) ? inheritance.fault : fault;
  }

  inheritedOf(key: ShadowKey): JsonObject | undefined {
    const { inherited, fault } = this.inheritanceOf(key);
    return fault === undefined ? inherited : undefined;
  }

  /** As far as `prepare` was told of the device. */
  inheritanceOf({ device, shadow }: ShadowKey): Inheritance {
    const place = this.#places.get(device);
    if (place === undefined || this.#tree === undefined) return NOTHING;
    const inherited = this.#tree.inherited(place, shadow);
    return inherited === undefined ? NOTHING : { inherited, fault: this.#faultOf(inherited, place.type, shadow) };
  }

  /** All defaults as the batch sees them. */
  async defaults(batch: Batch): Promise<DefaultTree> {
    if (this.#tree === undefined) {
      const store = new ShadowDefaultStore({ state: batch.transaction, registry: this.#registry });
      this.#tree = new DefaultTree(await store.list(), await store.shadows());
      batch.onRollback(() => this.forget());
    }
    return this.#tree;
  }

  /** Defaults were changed, or their groups. */
  forget(): void {
    this.#tree = undefined;
  }

  #faultOf(inherited: JsonObject, type: string | undefined, shadow: string): string | undefined {
    const { version } = this.schemas;
    const known = this.#faults.get(inherited);
    if (known?.version === version) return known.fault;
    const fault = tooLarge(inherited) ?? this.schemas.of(type, shadow)?.inheritedFault(inherited);
    this.#faults.set(inherited, { version, fault });
    return fault;
  }
}

function tooLarge(inherited: JsonObject): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(inherited));
  return bytes <= MAX_INHERITED_BYTES
    ? undefined
    : `What is inherited has ${bytes} bytes, and ${MAX_INHERITED_BYTES} are allowed`;
}
