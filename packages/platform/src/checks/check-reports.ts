import type { Database } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import { isEverything, type Scope, scopeIncludes } from '../registry/scope.ts';
import { CHECKS, type CheckName, type Finding, type Severity } from './check.ts';

/** What one check came to. */
export interface CheckOutcome {
  readonly check: CheckName;
  readonly status: 'compliant' | 'non-compliant' | 'failed';
  /** All that it found, also what is beyond the bound of what is kept. */
  readonly findings: number;
  /** Why it failed, where it did. */
  readonly error?: string | undefined;
}

export interface CheckReport {
  readonly id: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly startedBy: string;
  readonly outcomes: readonly CheckOutcome[];
}

export interface KeptFinding extends Finding {
  readonly severity: Severity;
}

/** Reports that are kept: a month of them, where they are made daily. */
export const MAX_REPORTS = 31;
/** Of one check in one report: who has a hundred thousand certificates that expire need not read them one by one. */
export const MAX_FINDINGS = 1_000;
const ROWS_PER_STATEMENT = 200;

/** The reports of the last month. */
export class CheckReports {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Keeps a report and lets the oldest go. @returns its id */
  async add(report: Omit<CheckReport, 'id'>, findings: readonly Finding[]): Promise<number> {
    return await this.#database.transaction().execute(async (transaction) => {
      const { id } = await transaction
        .insertInto('check_report')
        .values({
          started_at_ms: report.startedAtMs,
          finished_at_ms: report.finishedAtMs,
          started_by: report.startedBy,
          outcomes: JSON.stringify(report.outcomes),
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      for (let start = 0; start < findings.length; start += ROWS_PER_STATEMENT) {
        const rows = findings.slice(start, start + ROWS_PER_STATEMENT).map(({ check, object, group, reason }) => ({
          report_id: id,
          check_name: check,
          severity: CHECKS[check].severity,
          object_kind: object.kind,
          object_id: object.id,
          group_path: group,
          reason,
        }));
        await transaction.insertInto('check_finding').values(rows).execute();
      }
      const old = await transaction
        .selectFrom('check_report')
        .select('id')
        .orderBy('id', 'desc')
        .offset(MAX_REPORTS)
        .limit(100)
        .execute();
      if (old.length > 0)
        await transaction
          .deleteFrom('check_report')
          .where(
            'id',
            'in',
            old.map((row) => row.id),
          )
          .execute();
      return id;
    });
  }

  /** Newest first. */
  async list(): Promise<readonly CheckReport[]> {
    const rows = await this.#database.selectFrom('check_report').selectAll().orderBy('id', 'desc').execute();
    return rows.map(reportOf);
  }

  /** @throws SelsynError `check-report.not-found` */
  async get(id: number): Promise<CheckReport> {
    const row = await this.#database.selectFrom('check_report').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new SelsynError('check-report.not-found', `there is no report ${id}`, { details: { id } });
    return reportOf(row);
  }

  /** What was found in a part of the group tree, in the order in which it was found. */
  async findings(id: number, scope: Scope): Promise<readonly KeptFinding[]> {
    const rows = await this.#database.selectFrom('check_finding').selectAll().where('report_id', '=', id).orderBy('id').execute();
    return rows
      .filter((row) => isEverything(scope) || scopeIncludes(scope, row.group_path))
      .map((row) => ({
        check: row.check_name as CheckName,
        severity: row.severity as Severity,
        object: { kind: row.object_kind as Finding['object']['kind'], id: row.object_id },
        group: row.group_path,
        reason: row.reason,
      }));
  }
}

function reportOf(row: {
  readonly id: number;
  readonly started_at_ms: number;
  readonly finished_at_ms: number;
  readonly started_by: string;
  readonly outcomes: string;
}): CheckReport {
  return {
    id: row.id,
    startedAtMs: Number(row.started_at_ms),
    finishedAtMs: Number(row.finished_at_ms),
    startedBy: row.started_by,
    outcomes: JSON.parse(row.outcomes) as CheckOutcome[],
  };
}
