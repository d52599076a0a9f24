import type { Generated } from 'kysely';

/** What all kinds of state share. */
export interface StateTables {
  readonly state_position: StatePositionTable;
  readonly state_audit: StateAuditTable;
}

/** How far a stream has been followed, written with what was derived from it. */
export interface StatePositionTable {
  readonly stream: string;
  readonly position: number;
}

/** Changes on their way to the audit trail, which stands in another database: written with the change, taken over once. */
export interface StateAuditTable {
  readonly id: Generated<number>;
  readonly at_ms: number;
  /** An AuditChange as JSON. */
  readonly change: string;
}
