/** Shadows, their history and what is done to many of them. */
export interface ShadowTables {
  readonly shadow: ShadowTable;
  readonly shadow_history: ShadowHistoryTable;
}

/** Also of those that were deleted less than 48 hours ago, so that their versions go on. */
export interface ShadowTable {
  /** Given by the one writer: a row is found by it without the other index. */
  readonly id: number;
  /** `{device}/{name}`; the classic one has no name: `{device}/`. */
  readonly path: string;
  readonly version: number;
  /** JSON of what is desired and reported, see shadow-row.ts; '' of one that was deleted. */
  readonly state: string;
  /** JSON of the rest of the document; '' of one that was deleted. */
  readonly details: string;
  /** Of the newest row of its history; 0: none. */
  readonly history_id: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  /** Null: it is there. */
  readonly deleted_at_ms: number | null;
}

/** What has happened to shadows, in its order: rows are only added at the end and taken away at the beginning. */
export interface ShadowHistoryTable {
  /** Grows by each row. */
  readonly id: number;
  /** Of the row in `shadow`, which may be gone. */
  readonly shadow_id: number;
  /** The row before of the same shadow; 0: none. It may have been taken away. */
  readonly previous: number;
  /** The version that came of it. */
  readonly version: number;
  readonly at_ms: number;
  /** Who did it: `device:X`, `user:X`, `api-key:X`, `system:X`. */
  readonly author: string;
  /** JSON of what was written, null for what was taken away; '' when the shadow was deleted. */
  readonly change: string;
}
