import type { Generated } from 'kysely';

/** Reports of the audit checks. */
export interface CheckTables {
  readonly check_report: CheckReportTable;
  readonly check_finding: CheckFindingTable;
}

export interface CheckReportTable {
  readonly id: Generated<number>;
  readonly started_at_ms: number;
  readonly finished_at_ms: number;
  /** Who asked for it; `schedule`: nobody. */
  readonly started_by: string;
  /** JSON: what each check came to. */
  readonly outcomes: string;
}

export interface CheckFindingTable {
  readonly id: Generated<number>;
  readonly report_id: number;
  readonly check_name: string;
  /** `critical`, `high`, `medium`, `low`. */
  readonly severity: string;
  readonly object_kind: string;
  readonly object_id: string;
  /** Where the object stands: who may see the finding. */
  readonly group_path: string;
  readonly reason: string;
}
