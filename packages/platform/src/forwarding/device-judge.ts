import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { DeviceStore } from '../registry/device-store.ts';
import type { Filter } from '../registry/filter/filter-ast.ts';
import { parseFilter } from '../registry/filter/parse-filter.ts';
import type { ForwarderFilter } from './forwarder.ts';

export interface DeviceJudgeOptions {
  /** To be read. */
  readonly registry: Database;
  readonly clock: Clock;
  readonly filter: ForwarderFilter;
}

/** Two generations of so many: the devices that were seen last. */
const KEPT = 250_000;
/** Who is connected, when a device was seen: such conditions change without a change of the registry. */
const VOLATILE_MS = 30_000;

/** Says which devices a forwarder is about, out of the registry: asked once for each device until the registry changes. */
export class DeviceJudge {
  readonly #options: DeviceJudgeOptions;
  readonly #devices: DeviceStore;
  readonly #query: { readonly filter?: string; readonly group?: string } | undefined;
  readonly #isVolatile: boolean;
  #young = new Map<string, boolean>();
  #old = new Map<string, boolean>();
  /** Grows with each change of the registry: what was read before one must not be kept after it. */
  #changes = 0;
  #filledMs = 0;

  constructor(options: DeviceJudgeOptions) {
    this.#options = options;
    this.#devices = new DeviceStore({ database: options.registry, clock: options.clock });
    const { filter, group, types } = options.filter;
    const conditions = [
      ...(filter === undefined ? [] : [`(${filter})`]),
      // The names of types have no quotes.
      ...(types === undefined || types.length === 0 ? [] : [`type in (${types.map((type) => `"${type}"`).join(', ')})`]),
    ];
    this.#query =
      conditions.length === 0 && group === undefined
        ? undefined
        : { ...(conditions.length > 0 && { filter: conditions.join(' and ') }), ...(group !== undefined && { group }) };
    this.#isVolatile = filter !== undefined && isVolatile(parseFilter(filter));
  }

  /** Undefined: it must be asked for. */
  known(device: string): boolean | undefined {
    const young = this.#young.get(device);
    if (young !== undefined) return young;
    const old = this.#old.get(device);
    if (old !== undefined) this.#keep(device, old);
    return old;
  }

  /** Judges devices. @throws SelsynError `request.invalid` where the filter asks for a field of shadows that is not declared any more */
  async ask(devices: ReadonlySet<string>): Promise<ReadonlyMap<string, boolean>> {
    this.refresh();
    const before = this.#changes;
    // Whoever publishes as a device has an id that is one.
    const ids = [...devices] as DeviceId[];
    const among = this.#query === undefined ? undefined : await this.#devices.among(ids, this.#query);
    const found = new Map<string, boolean>();
    for (const id of ids) {
      const passes = among === undefined || among.has(id);
      found.set(id, passes);
      if (before === this.#changes) this.#keep(id, passes);
    }
    return found;
  }

  /** Something of this device has changed. */
  forget(device: string): void {
    this.#changes += 1;
    this.#young.delete(device);
    this.#old.delete(device);
  }

  /** Something has changed, nobody knows for whom. */
  clear(): void {
    this.#changes += 1;
    this.#young.clear();
    this.#old.clear();
  }

  /** Volatile conditions are asked again now and then. */
  refresh(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#isVolatile || nowMs - this.#filledMs <= VOLATILE_MS) return;
    this.clear();
    this.#filledMs = nowMs;
  }

  #keep(device: string, passes: boolean): void {
    if (this.#young.size >= KEPT) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(device, passes);
  }
}

function isVolatile(filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.items.some(isVolatile);
    case 'not':
      return isVolatile(filter.item);
    case 'connected':
    case 'seen':
    case 'time':
      return true;
    case 'value':
    case 'value-like':
    case 'value-exists':
      return filter.field.kind === 'shadow';
    default:
      return false;
  }
}
