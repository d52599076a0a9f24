import type { Generated } from 'kysely';

/** Fields of shadows by which devices are found, and shadows that edges have too. */
export interface ShadowSearchTables {
  readonly shadow_field: ShadowFieldTable;
  readonly shadow_field_value: ShadowFieldValueTable;
  readonly shadow_merge_policy: ShadowMergePolicyTable;
  readonly shadow_conflict: ShadowConflictTable;
}

/** A field that was declared searchable. */
export interface ShadowFieldTable {
  /** Never given again. */
  readonly id: Generated<number>;
  /** `reported.mode` of the classic shadow, `NAME.desired.mode` of another one. */
  readonly field: string;
  readonly created_at_ms: number;
  /** The id of the last shadow that was looked at after the declaration; null: all were. */
  readonly filled_to: number | null;
}

/** A value on its way to the registry: of a device and a field only the newest one. Taken away once it is there. */
export interface ShadowFieldValueTable {
  readonly device: string;
  readonly field_id: number;
  /** See shadow-values.ts; null: none. */
  readonly value: string | null;
  /** Grows by each change. */
  readonly sequence: number;
}

export interface ShadowMergePolicyTable {
  /** `*`: of devices of any type, or of none. */
  readonly device_type: string;
  /** '' is the classic one, `*` any. */
  readonly shadow: string;
  readonly policy: string;
  readonly script: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** Fields that were written on both sides, of one merge. */
export interface ShadowConflictTable {
  readonly id: Generated<number>;
  readonly device: string;
  readonly shadow: string;
  /** That came of the merge. */
  readonly version: number;
  readonly at_ms: number;
  /** The edge. */
  readonly replica: string;
  /** JSON: an array of Conflict. */
  readonly conflicts: string;
}
