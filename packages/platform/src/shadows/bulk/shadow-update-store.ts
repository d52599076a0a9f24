import type { Selectable } from 'kysely';
import type { Actor } from '../../audit/actor.ts';
import type { StateDatabase } from '../../database/schema.ts';
import type { ShadowUpdateTable } from '../../database/tables/shadow-fleet-tables.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../../registry/page-cursor.ts';
import { EVERYTHING, isEverything, scopeIncludes, type Scope } from '../../registry/scope.ts';
import type { JsonObject } from '../shadow-document.ts';
import type { ShadowUpdate, ShadowUpdateFailure, ShadowUpdateState } from './shadow-update.ts';

interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** So many are looked through at once for those that somebody may see. */
const LOOKED_AT_ONCE = 1_000;

/** Reads updates of many shadows, as they were last committed, from any connection. */
export class ShadowUpdateStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** @throws SelsynError `shadow-update.not-found`, also for one that is out of the scope */
  async get(id: string, scope: Scope = EVERYTHING): Promise<ShadowUpdate> {
    const row = await this.#database.selectFrom('shadow_update').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !isSeen(row, scope)) throw noUpdate(id);
    return updateOf(row);
  }

  /** The newest first. */
  async list(query: {
    readonly scope?: Scope;
    readonly state?: ShadowUpdateState | undefined;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<Page<ShadowUpdate>> {
    const { scope = EVERYTHING, state, limit } = query;
    const before = query.cursor === undefined ? undefined : decodePageCursor(query.cursor);
    const ids = await this.#seen(scope, state, before, limit + 1);
    const shown = ids.slice(0, limit);
    const last = shown.at(-1);
    if (last === undefined) return { items: [] };
    const rows = await this.#database
      .selectFrom('shadow_update')
      .selectAll()
      .where('id', 'in', shown)
      .orderBy('id', 'desc')
      .execute();
    const items = rows.map(updateOf);
    return ids.length > limit ? { items, cursor: encodePageCursor(last) } : { items };
  }

  /** The newest of those that somebody may see, by their ids: what others have is passed over, however much it is. */
  async #seen(
    scope: Scope,
    state: ShadowUpdateState | undefined,
    before: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const atOnce = isEverything(scope) ? limit : LOOKED_AT_ONCE;
    const seen: string[] = [];
    for (let next = before; seen.length < limit;) {
      let query = this.#database.selectFrom('shadow_update').select(['id', 'seen_in']).orderBy('id', 'desc').limit(atOnce);
      if (state !== undefined) query = query.where('state', '=', state);
      if (next !== undefined) query = query.where('id', '<', next);
      const rows = await query.execute();
      for (const row of rows) if (isSeen(row, scope)) seen.push(row.id);
      if (rows.length < atOnce) break;
      next = rows.at(-1)?.id;
    }
    return seen.slice(0, limit);
  }

  /** In the order in which they failed. @throws SelsynError `shadow-update.not-found` */
  async failures(query: {
    readonly id: string;
    readonly scope?: Scope;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<Page<ShadowUpdateFailure>> {
    const { id, scope, limit, cursor } = query;
    await this.get(id, scope);
    const after = cursor === undefined ? 0 : numberOf(decodePageCursor(cursor));
    const rows = await this.#database
      .selectFrom('shadow_update_failure')
      .selectAll()
      .where('update_id', '=', id)
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit + 1)
      .execute();
    const items = rows.slice(0, limit).map(({ device, code, reason }) => ({ device, code, reason }));
    const last = rows[limit - 1];
    return rows.length > limit && last !== undefined ? { items, cursor: encodePageCursor(String(last.id)) } : { items };
  }
}

export function updateOf(row: Selectable<ShadowUpdateTable>): ShadowUpdate {
  return {
    id: row.id,
    kind: row.kind === 'defaults' ? 'defaults' : 'desired',
    state: stateOf(row.state),
    target: row.target,
    shadow: row.shadow,
    desired: JSON.parse(row.desired) as JsonObject,
    ...(row.expected_version !== null && { expectedVersion: Number(row.expected_version) }),
    ratePerSec: Number(row.rate_per_sec),
    startedBy: JSON.parse(row.actor) as Actor,
    total: Number(row.total),
    done: Number(row.done),
    unchanged: Number(row.unchanged),
    failed: Number(row.failed),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
    ...(row.finished_at_ms !== null && { finishedAtMs: Number(row.finished_at_ms) }),
  };
}

/** Whether somebody who sees these parts of the tree sees the update: all that it may change is theirs. */
export function isSeen({ seen_in: seenIn }: Pick<ShadowUpdateTable, 'seen_in'>, scope: Scope): boolean {
  return (JSON.parse(seenIn) as readonly string[]).every((path) => scopeIncludes(scope, path));
}

export function noUpdate(id: string): SelsynError {
  return new SelsynError('shadow-update.not-found', `there is no update ${id} of shadows`, { details: { id } });
}

function stateOf(text: string): ShadowUpdateState {
  return text === 'running' || text === 'cancelled' ? text : 'done';
}

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}
