import { isDeviceId } from '../../../kernel/device-id.ts';
import { escaped, labelSuffix } from '../../../points/metric-name.ts';
import { keyOf } from '../../../points/point-writer.ts';
import { nameFault } from '../../../points/sample-limits.ts';
import type { SeriesKey } from './line-scan.ts';

/** How lines are taken for those of devices. */
export interface LineMapping {
  /** Tags that name the device; the first that a line has counts. */
  readonly deviceTags: readonly string[];
  /** Of lines that have none of them. */
  readonly device: string | undefined;
  /** Tags that stand in no name. */
  readonly droppedTags: ReadonlySet<string>;
}

export const DEVICE_TAGS: readonly string[] = ['device', 'device_id', 'host'];

/** A metric, by its field: its name as a record has it, or why it can have none. */
export type MetricKey = Uint8Array | string;

/** What a measurement and its tags mean: which device, and how its metrics are named. */
export class LineSeries {
  /** Undefined where `fault` says why. */
  readonly device: string | undefined;
  readonly fault: string | undefined;
  readonly #base: string;
  readonly #suffix: string;
  readonly #keys = new Map<string, MetricKey>();
  /** For the reader: the fields of the last line of this series, in their order, as bytes and as keys. */
  lastFields: Uint8Array[] = [];
  lastKeys: Uint8Array[] = [];

  readonly #onKey: () => void;

  /** @param onKey called for each key that is kept */
  constructor({ measurement, tags }: SeriesKey, mapping: LineMapping, onKey: () => void) {
    this.#onKey = onKey;
    const naming = mapping.deviceTags.find((name) => tags.some(([tag]) => tag === name));
    const id = naming === undefined ? mapping.device : tags.find(([tag]) => tag === naming)?.[1];
    if (id === undefined) this.fault = `no tag names a device: ${listed(mapping.deviceTags)} would`;
    else if (!isDeviceId(id))
      this.fault = `${JSON.stringify(id.slice(0, 128))} is not a device id (1 to 128 of A-Z a-z 0-9 : _ . -)`;
    else this.device = id;
    this.#base = escaped(measurement);
    this.#suffix = labelSuffix(tags.filter(([tag]) => tag !== naming && !mapping.droppedTags.has(tag)));
  }

  /** `measurement.field`, and the other tags: `cpu.usage_idle;cpu=cpu0`. */
  keyOf(field: string): MetricKey {
    let key = this.#keys.get(field);
    if (key === undefined) {
      const name = `${this.#base}.${escaped(field)}${this.#suffix}`;
      key = nameFault(name) ?? keyOf(name);
      if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
      this.#keys.set(field, key);
      this.#onKey();
    }
    return key;
  }
}

const MAX_KEYS = 1_000;

function listed(names: readonly string[]): string {
  return names.length === 1
    ? `"${names[0]}"`
    : `${names
        .slice(0, -1)
        .map((name) => `"${name}"`)
        .join(', ')} or "${names.at(-1)}"`;
}
