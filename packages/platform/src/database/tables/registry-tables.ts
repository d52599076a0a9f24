import type { Generated } from 'kysely';

/** Devices, and what they are sorted by. */
export interface RegistryTables {
  readonly device: DeviceTable;
  readonly device_tag: DeviceTagTable;
  readonly device_group: DeviceGroupTable;
  readonly device_type: DeviceTypeTable;
  readonly device_connectivity: DeviceConnectivityTable;
  readonly device_term: DeviceTermTable;
  readonly device_posting: DevicePostingTable;
  readonly fleet: FleetTable;
  readonly registry_counter: RegistryCounterTable;
  readonly registry_change: RegistryChangeTable;
}

/** The stream of changes, written with them. Rows that were followed go after a while. */
export interface RegistryChangeTable {
  readonly sequence: Generated<number>;
  /** `put` and `removed` are of a device, `group` of a group. */
  readonly kind: 'put' | 'removed' | 'group';
  /** The id of the device, the path of the group before. */
  readonly subject: string;
  /** Where the group is now; null: it was removed. */
  readonly moved_to: string | null;
  readonly at_ms: number;
}

export interface DeviceTable {
  readonly id: string;
  readonly name: string | null;
  readonly created_at_ms: number;
  /** The place of the device in the postings: given once, in the order of registration, never given again. */
  readonly number: Generated<number | null>;
  readonly type: Generated<string | null>;
  readonly group_id: Generated<number>;
  /** A JSON object. */
  readonly attributes: Generated<string>;
  readonly updated_at_ms: Generated<number>;
}

export interface DeviceTagTable {
  readonly device_id: string;
  readonly tag: string;
}

export interface DeviceGroupTable {
  /** Stays the same when the group is moved; 1 is the root. */
  readonly id: Generated<number>;
  readonly path: string;
  /** Null: the root. */
  readonly parent_id: number | null;
  readonly created_at_ms: number;
}

export interface DeviceTypeTable {
  readonly name: string;
  /** A JSON object: all of the type but its name and times. */
  readonly definition: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** A device without a row was never connected. */
export interface DeviceConnectivityTable {
  readonly device_id: string;
  /** That of the device. */
  readonly number: number;
  /** 1 or 0. */
  readonly connected: number;
  /** When it last came or went. */
  readonly since_ms: number;
  /** Why it went; null: it is there, or nobody knows. */
  readonly gone_reason: Generated<string | null>;
  /** When it was last known to be there. */
  readonly last_seen_ms: number;
}

/** A value that devices have in a field, as the filter language finds them by. */
export interface DeviceTermTable {
  readonly id: Generated<number>;
  readonly field: string;
  /** `s` text, `n` number, `b` boolean, `p` there is a value. */
  readonly kind: string;
  readonly text: string;
  /** For numbers. */
  readonly number: number | null;
  /** For text: sorts as people sort versions. */
  readonly natural_key: string | null;
  /** Devices that have it. */
  readonly devices: number;
}

/** Which devices have a value: 4,096 of them in a row. */
export interface DevicePostingTable {
  /** term * 2^20 + device number / 4096 */
  readonly slot: number;
  readonly bits: Uint8Array;
}

export interface FleetTable {
  readonly id: string;
  readonly name: string;
  readonly group_path: string;
  readonly filter: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

export interface RegistryCounterTable {
  /** `device-number`: the last one given. `index-version`: of the form in which the postings were made. */
  readonly name: string;
  readonly value: number;
}
