import type { StateDatabase } from '../../database/schema.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { ShadowKey } from '../shadow-document.ts';
import type { Conflict } from './conflict.ts';

/** The conflicts of one merge. */
export interface MergeConflicts {
  /** That came of the merge. */
  readonly version: number;
  readonly atMs: number;
  /** The edge whose shadow was merged. */
  readonly replica: string;
  readonly conflicts: readonly Conflict[];
  /** The page after this one begins before it. */
  readonly cursor: string;
}

/** Merges with conflicts that are kept of a shadow; older ones go. */
export const MAX_KEPT = 50;
export const KEPT_MS: number = 90 * 24 * 3_600_000;
/** Too old ones that one merge takes away. */
const SWEPT_AT_ONCE = 100;

/** What was written on both sides, and what became of it: kept with the history of a shadow. */
export class ConflictStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** The newest first. @throws SelsynError `request.invalid` for a cursor that is none */
  async list(
    { device, shadow }: ShadowKey,
    page: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<readonly MergeConflicts[]> {
    let query = this.#database
      .selectFrom('shadow_conflict')
      .selectAll()
      .where('device', '=', device)
      .where('shadow', '=', shadow);
    if (page.cursor !== undefined) query = query.where('id', '<', placeOf(page.cursor));
    const rows = await query.orderBy('id', 'desc').limit(page.limit).execute();
    return rows.map((row) => ({
      version: Number(row.version),
      atMs: Number(row.at_ms),
      replica: row.replica,
      conflicts: JSON.parse(row.conflicts) as readonly Conflict[],
      cursor: String(row.id),
    }));
  }

  /** In the transaction of the merge. */
  async add({ device, shadow }: ShadowKey, merge: Omit<MergeConflicts, 'cursor'>): Promise<void> {
    const database = this.#database;
    await database
      .insertInto('shadow_conflict')
      .values({
        device,
        shadow,
        version: merge.version,
        at_ms: merge.atMs,
        replica: merge.replica,
        conflicts: JSON.stringify(merge.conflicts),
      })
      .execute();
    const first = await database
      .selectFrom('shadow_conflict')
      .select('id')
      .where('device', '=', device)
      .where('shadow', '=', shadow)
      .orderBy('id', 'desc')
      .offset(MAX_KEPT - 1)
      .limit(1)
      .executeTakeFirst();
    if (first !== undefined) {
      await database
        .deleteFrom('shadow_conflict')
        .where('device', '=', device)
        .where('shadow', '=', shadow)
        .where('id', '<', first.id)
        .execute();
    }
    await database
      .deleteFrom('shadow_conflict')
      .where('id', 'in', (builder) =>
        builder
          .selectFrom('shadow_conflict')
          .select('id')
          .where('at_ms', '<', merge.atMs - KEPT_MS)
          .limit(SWEPT_AT_ONCE),
      )
      .execute();
  }

  /** Of a device that was removed: those of before. */
  async purge(device: string, atMs: number): Promise<void> {
    await this.#database.deleteFrom('shadow_conflict').where('device', '=', device).where('at_ms', '<=', atMs).execute();
  }
}

function placeOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new SelsynError('request.invalid', 'the cursor is not one of this list', { details: { field: 'cursor' } });
}
