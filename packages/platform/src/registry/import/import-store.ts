import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Database } from '../../database/schema.ts';
import type { DeviceImportTable } from '../../database/tables/import-tables.ts';
import {
  MAX_REFUSED_KEPT,
  noImport,
  type DeviceImport,
  type ImportCaller,
  type ImportFormat,
  type ImportMode,
  type RefusedRow,
} from './device-import.ts';
import { isEverything } from '../scope.ts';

/** An import with what the next part needs to know and nobody else. */
export interface StoredImport {
  readonly shown: DeviceImport;
  readonly header: string | undefined;
  readonly inLongLine: boolean;
}

/** How far an import has come. */
export type ImportStep = Updateable<DeviceImportTable>;

const ROWS_PER_STATEMENT = 200;

/** Whose imports somebody sees: their own; all, who may do everything. Others are not there for them. */
export async function readImport(database: Database, id: string, caller: ImportCaller): Promise<StoredImport> {
  const row = await visible(database, caller).where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw noImport(id);
  return storedImport(row);
}

/** Newest first. */
export async function listImports(database: Database, caller: ImportCaller, limit: number): Promise<readonly DeviceImport[]> {
  const rows = await visible(database, caller).orderBy('created_at_ms', 'desc').orderBy('id').limit(limit).execute();
  return rows.map((row) => storedImport(row).shown);
}

/** The newest import that was broken off and is as good as the one that is asked for. */
export async function findBrokenOff(
  database: Database,
  { fingerprint, format, mode, dryRun, group }: Pick<DeviceImport, 'fingerprint' | 'format' | 'mode' | 'dryRun' | 'group'>,
  { actor }: ImportCaller,
): Promise<DeviceImport | undefined> {
  if (fingerprint === undefined) return undefined;
  const row = await database
    .selectFrom('device_import')
    .selectAll()
    .where('actor_kind', '=', actor.kind)
    .where('actor_id', '=', actor.id)
    .where('fingerprint', '=', fingerprint)
    .where('format', '=', format)
    .where('mode', '=', mode)
    .where('dry_run', '=', dryRun ? 1 : 0)
    .where('group_path', group === undefined ? 'is' : '=', group ?? null)
    .where('state', '=', 'open')
    .orderBy('created_at_ms', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : storedImport(row).shown;
}

export async function insertImport(database: Database, row: Insertable<DeviceImportTable>): Promise<void> {
  await database.insertInto('device_import').values(row).execute();
}

export async function stepImport(transaction: Database, id: string, step: ImportStep): Promise<void> {
  await transaction.updateTable('device_import').set(step).where('id', '=', id).execute();
}

/** Keeps the first 10,000 of an import. @param alreadyRefused how many it had before */
export async function keepRefused(
  transaction: Database,
  id: string,
  refused: readonly RefusedRow[],
  alreadyRefused: number,
): Promise<void> {
  const kept = refused.slice(0, Math.max(0, MAX_REFUSED_KEPT - alreadyRefused));
  for (let start = 0; start < kept.length; start += ROWS_PER_STATEMENT) {
    await transaction
      .insertInto('device_import_refusal')
      .values(
        kept.slice(start, start + ROWS_PER_STATEMENT).map(({ row, deviceId, field, code, reason }) => ({
          import_id: id,
          row,
          device_id: deviceId ?? null,
          field: field ?? null,
          code,
          reason,
        })),
      )
      .execute();
  }
}

/** In the order of the rows. */
export async function listRefused(
  database: Database,
  id: string,
  page: { readonly afterRow: number; readonly limit: number },
): Promise<readonly RefusedRow[]> {
  const rows = await database
    .selectFrom('device_import_refusal')
    .selectAll()
    .where('import_id', '=', id)
    .where('row', '>', page.afterRow)
    .orderBy('row')
    .limit(page.limit)
    .execute();
  return rows.map(({ row, device_id: deviceId, field, code, reason }) => ({
    row: Number(row),
    ...(deviceId !== null && { deviceId }),
    ...(field !== null && { field }),
    code,
    reason,
  }));
}

export async function deleteImports(database: Database, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await database.deleteFrom('device_import').where('id', 'in', ids).execute();
}

/** Imports that nobody has touched since, the oldest first. */
export async function untouchedSince(database: Database, beforeMs: number, limit: number): Promise<readonly string[]> {
  const rows = await database
    .selectFrom('device_import')
    .select('id')
    .where('updated_at_ms', '<', beforeMs)
    .orderBy('created_at_ms')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

function visible(database: Database, { actor, scope }: ImportCaller) {
  const all = database.selectFrom('device_import').selectAll();
  return isEverything(scope) ? all : all.where('actor_kind', '=', actor.kind).where('actor_id', '=', actor.id);
}

function storedImport(row: Selectable<DeviceImportTable>): StoredImport {
  const { name, size_bytes: sizeBytes, fingerprint, group_path: group, finished_at_ms: finishedAtMs } = row;
  return {
    shown: {
      id: row.id,
      state: row.state === 'done' ? 'done' : 'open',
      format: row.format as ImportFormat,
      mode: row.mode as ImportMode,
      dryRun: row.dry_run === 1,
      ...(group !== null && { group }),
      ...(name !== null && { name }),
      ...(sizeBytes !== null && { sizeBytes: Number(sizeBytes) }),
      ...(fingerprint !== null && { fingerprint }),
      position: Number(row.position),
      rows: Number(row.rows),
      created: Number(row.created),
      updated: Number(row.updated),
      unchanged: Number(row.unchanged),
      refused: Number(row.refused),
      startedBy: { kind: row.actor_kind as DeviceImport['startedBy']['kind'], id: row.actor_id, name: row.actor_name },
      createdAtMs: Number(row.created_at_ms),
      updatedAtMs: Number(row.updated_at_ms),
      ...(finishedAtMs !== null && { finishedAtMs: Number(finishedAtMs) }),
    },
    header: row.header ?? undefined,
    inLongLine: row.in_long_line === 1,
  };
}
