import type { Generated } from 'kysely';

/** What is done to the shadows of many devices: defaults of groups and types, and updates of whole fleets. */
export interface ShadowFleetTables {
  readonly shadow_default: ShadowDefaultTable;
  readonly shadow_update: ShadowUpdateTable;
  readonly shadow_update_block: ShadowUpdateBlockTable;
  readonly shadow_update_failure: ShadowUpdateFailureTable;
}

/** What devices of a group or a type have in the desired section of a shadow unless they have their own. */
export interface ShadowDefaultTable {
  /** `group` or `type`. */
  readonly kind: string;
  /** The id of the group, which stays the same when it is moved, as decimal digits; the name of the type. */
  readonly target: string;
  /** '' is the classic shadow. */
  readonly shadow: string;
  /** A JSON object; '' of one that was removed: what was inherited of it may still be on its way out. */
  readonly desired: string;
  /** From 1, by each change. */
  readonly version: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** An update of the shadows of many devices: what, for whom, and how far it has come. */
export interface ShadowUpdateTable {
  readonly id: string;
  /** `desired`: a patch of what each device has. `defaults`: each device gets what it inherits now. */
  readonly kind: string;
  /** `running`, `done`, `cancelled`. */
  readonly state: string;
  /** As it was asked for: `group:/acme`, `fleet:x`, `type:x`, `filter:…`, `devices`. */
  readonly target: string;
  /** '' is the classic shadow. */
  readonly shadow: string;
  /** A JSON object; of `defaults` the empty one. */
  readonly desired: string;
  readonly expected_version: number | null;
  readonly rate_per_sec: number;
  /** A JSON array: where whoever asked may change shadows. Devices elsewhere are not there for it. */
  readonly scope: string;
  /** A JSON array of groups: who may see all of these sees the update. */
  readonly seen_in: string;
  /** Who asked, as JSON. */
  readonly actor: string;
  readonly total: number;
  readonly done: number;
  readonly unchanged: number;
  readonly failed: number;
  /** The number of the last device that was dealt with; -1 before the first. */
  readonly cursor: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly finished_at_ms: number | null;
}

/** The devices of an update, fixed when it was made: those of 16,384 consecutive numbers. */
export interface ShadowUpdateBlockTable {
  readonly update_id: string;
  readonly block: number;
  /** A bit for each device, base64. */
  readonly bits: string;
}

/** A device that an update could not be applied to. */
export interface ShadowUpdateFailureTable {
  readonly id: Generated<number>;
  readonly update_id: string;
  readonly device: string;
  /** What a program goes by: `device.not-found`. */
  readonly code: string;
  /** For people. */
  readonly reason: string;
}
