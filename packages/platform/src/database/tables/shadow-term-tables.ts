import type { Generated } from 'kysely';

/** What devices are found by that stands in their shadows: taken over from the state, which has another database. */
export interface ShadowTermTables {
  readonly shadow_field: IndexedShadowFieldTable;
  readonly device_shadow_value: DeviceShadowValueTable;
  readonly waiting_shadow_value: WaitingShadowValueTable;
}

export interface IndexedShadowFieldTable {
  /** Names its terms; never given again. */
  readonly id: Generated<number>;
  /** Its id in the state, where it was declared. */
  readonly state_id: number;
  /** `shadow.reported.mode` */
  readonly field: string;
  readonly created_at_ms: number;
  /** 1: its terms are being taken away. */
  readonly dropped: number;
}

export interface DeviceShadowValueTable {
  readonly field_id: number;
  /** That of the device. */
  readonly number: number;
  /** See shadow-values.ts. */
  readonly value: string;
}

/** A value of a device that the registry does not know yet. */
export interface WaitingShadowValueTable {
  readonly device_id: string;
  readonly field_id: number;
  readonly value: string;
  readonly at_ms: number;
}
