import type { ArchivedHour } from '../archive/archive-index.ts';
import type { HotScanPage } from '../telemetry/hot-calls.ts';
import type { SqlColumn, SqlFormat } from './sql-query.ts';

/** A part of a table that a query may need: what is outside of all parts cannot be in its answer. */
export interface TablePart {
  /** Inclusive; -Infinity: no bound. */
  readonly fromMs: number;
  /** Exclusive; Infinity: no bound. */
  readonly toMs: number;
  /** Absent: all. */
  readonly devices?: readonly string[];
  readonly metrics?: readonly string[];
  readonly deviceTypes?: readonly string[];
}

/** What a query needs. A table without parts is not read. */
export interface SqlPlan {
  readonly telemetry: readonly TablePart[];
  readonly hours: readonly TablePart[];
  readonly days: readonly TablePart[];
  /** Undefined: not read. */
  readonly devices: { readonly ids?: readonly string[]; readonly group?: string } | undefined;
  /** It asks of what type devices are. */
  readonly needsTypes: boolean;
}

/** A row of `devices`. */
export interface DeviceRow {
  readonly id: string;
  readonly name: string | null;
  readonly type: string | null;
  readonly group: string;
  readonly tags: readonly string[];
  /** JSON */
  readonly attributes: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface ArchiveFile {
  readonly path: string;
  readonly deviceType: string | undefined;
  /** Devices whose rows do not count any more. */
  readonly hidden: readonly string[];
}

export interface SqlRun {
  readonly format: SqlFormat;
  readonly path: string;
  readonly maxRows: number;
  /** True: one row more is an error. */
  readonly refuseMore: boolean;
  readonly maxBytes: number;
  readonly maxPoints: number;
  readonly archive: { readonly hours: readonly ArchivedHour[]; readonly files: readonly ArchiveFile[] };
}

export interface SqlResult {
  readonly columns: readonly SqlColumn[];
  readonly rows: number;
  readonly limited: boolean;
  readonly bytes: number;
  readonly storedPoints: number;
  readonly hotPoints: number;
  readonly rollupRows: number;
  readonly archivedHours: number;
}

/**
 * One query after the other, each in these steps: `plan`, then what it needs by `addDevices`, `addSeen`, `addHot`; `openFiles`
 * once all that is hot is there, and `run` with what the archive has, asked after that.
 */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type SqlCalls = {
  plan(argument: { readonly sql: string; readonly memoryBytes: number }): Promise<SqlPlan>;
  addDevices(rows: readonly DeviceRow[]): Promise<void>;
  /** Once all devices are there: reads no more of telemetry than is joined with them. Null: `plan` the query again, and do without. */
  narrow(argument: null): Promise<SqlPlan | null>;
  /** Devices with their types, null for none. With `only`, rows of others are not seen. */
  addSeen(argument: { readonly devices: readonly (readonly [id: string, type: string | null])[]; readonly only: boolean }): void;
  addHot(page: HotScanPage): void;
  /** `archived`: some of the points may be in the archive too. */
  openFiles(argument: { readonly archived: boolean }): void;
  run(argument: SqlRun): Promise<SqlResult>;
  /** Forgets the query. */
  end(argument: null): void;
};
