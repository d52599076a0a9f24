import type { Actor } from '../../audit/actor.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { Scope } from '../scope.ts';

export const IMPORT_FORMATS = ['csv', 'jsonl'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** `create` refuses devices that are there, `update` those that are not, `upsert` none of them. */
export const IMPORT_MODES = ['create', 'update', 'upsert'] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** What is to be imported, and how; stays the same while the import lasts. */
export interface ImportPlan {
  readonly format: ImportFormat;
  readonly mode: ImportMode;
  /** Every row is checked, none is written. */
  readonly dryRun: boolean;
  /** Where new devices go that name no group; undefined: the root. */
  readonly group?: string | undefined;
  /** Of the file, for people. */
  readonly name?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** Something that only this content has, as its SHA-256: by it an import that was broken off is found again. */
  readonly fingerprint?: string | undefined;
}

/** One import, as far as it has come. Everything before `position` is written and will not be looked at again. */
export interface DeviceImport extends ImportPlan {
  readonly id: string;
  readonly state: 'open' | 'done';
  /** Bytes of the content that are done: the next part begins there. */
  readonly position: number;
  /** Rows that are done, as a spreadsheet or an editor numbers them: the header of CSV is row 1. */
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly startedBy: Pick<Actor, 'kind' | 'id' | 'name'>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly finishedAtMs?: number;
}

/** Why a row was not taken. */
export interface RefusedRow {
  readonly row: number;
  /** As the row has it; absent where it has none that can be read. */
  readonly deviceId?: string;
  readonly field?: string;
  readonly code: string;
  readonly reason: string;
}

/** Who imports, and into which part of the group tree. */
export interface ImportCaller {
  readonly actor: Actor;
  readonly scope: Scope;
}

/** Longer rows are refused, so that a quote that is never closed does not swallow the file. */
export const MAX_ROW_BYTES = 64 * 1024;
/** What one call takes. */
export const MAX_PART_BYTES = 4 * 1024 * 1024;
/** Refused rows that are kept of an import; all are counted. */
export const MAX_REFUSED_KEPT = 10_000;

export function noImport(id: string): SelsynError {
  return new SelsynError('import.not-found', `there is no import ${id.slice(0, 64)}`, { details: { id: id.slice(0, 64) } });
}
