import { PreparedFind } from '../database/prepared-rows.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { JsonObject, ShadowDocument, ShadowKey } from './shadow-document.ts';
import { decodeDocument, DOCUMENT_COLUMNS, keyOf, pathOf, pathsOf, type RowFacts } from './shadow-row.ts';

export interface ShadowSummary {
  /** '' is the classic one. */
  readonly shadow: string;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What has happened to a shadow. */
export interface ShadowHistoryEntry {
  /** That came of it. */
  readonly version: number;
  readonly atMs: number;
  /** `device:X`, `user:X`, `api-key:X`, `system:X`. */
  readonly author: string;
  readonly kind: 'updated' | 'deleted';
  /** What was written, null for what was taken away; `inherited` as it was from then on. */
  readonly change: {
    readonly desired?: JsonObject | null;
    readonly reported?: JsonObject | null;
    readonly inherited?: JsonObject | null;
  };
  /** The page after this entry begins behind it. */
  readonly cursor: string;
}

/** Reads shadows as they were last committed, from any connection. */
export class ShadowStore {
  readonly #database: StateDatabase;
  readonly #byPath: PreparedFind<StateSchema, RowFacts>;

  constructor(database: StateDatabase) {
    this.#database = database;
    this.#byPath = new PreparedFind((keys) =>
      database
        .selectFrom('shadow')
        .select(DOCUMENT_COLUMNS)
        .where(
          'path',
          'in',
          Array.from({ length: keys }, () => ''),
        )
        .compile(),
    );
  }

  /** Undefined: there is none. */
  async find(key: ShadowKey): Promise<ShadowDocument | undefined> {
    return (await this.findMany([key]))[0];
  }

  /** In the order of the keys. */
  async findMany(keys: readonly ShadowKey[]): Promise<readonly (ShadowDocument | undefined)[]> {
    const found = new Map<string, ShadowDocument | undefined>();
    for (const row of await this.#byPath.find(this.#database, keys.map(pathOf))) found.set(row.path, decodeDocument(row));
    return keys.map((key) => found.get(pathOf(key)));
  }

  /** Those of a device by name, the classic one ('') first. @param page.after the last name of the page before */
  async list(
    device: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly ShadowSummary[]> {
    const { first, end } = pathsOf(device);
    const rows = await this.#database
      .selectFrom('shadow')
      .select(['path', 'version', 'created_at_ms', 'updated_at_ms'])
      .where('path', page.after === undefined ? '>=' : '>', first + (page.after ?? ''))
      .where('path', '<', end)
      .where('deleted_at_ms', 'is', null)
      .orderBy('path')
      .limit(page.limit)
      .execute();
    return rows.map((row) => ({
      shadow: keyOf(row.path).shadow,
      version: Number(row.version),
      createdAtMs: Number(row.created_at_ms),
      updatedAtMs: Number(row.updated_at_ms),
    }));
  }

  /**
   * The newest first, that of before a deletion too. Each entry costs a look-up by its id.
   *
   * @throws SelsynError `request.invalid` for a cursor that is none.
   */
  async history(
    key: ShadowKey,
    page: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<readonly ShadowHistoryEntry[]> {
    const shadow = await this.#database
      .selectFrom('shadow')
      .select(['id', 'history_id'])
      .where('path', '=', pathOf(key))
      .executeTakeFirst();
    if (shadow === undefined) return [];
    const entries: ShadowHistoryEntry[] = [];
    let next = page.cursor === undefined ? Number(shadow.history_id) : parseCursor(page.cursor);
    while (next > 0 && entries.length < page.limit) {
      const row = await this.#database.selectFrom('shadow_history').selectAll().where('id', '=', next).executeTakeFirst();
      if (row === undefined || Number(row.shadow_id) !== Number(shadow.id)) break;
      next = Number(row.previous);
      entries.push({
        version: Number(row.version),
        atMs: Number(row.at_ms),
        author: row.author,
        kind: row.change === '' ? 'deleted' : 'updated',
        change: row.change === '' ? {} : (JSON.parse(row.change) as ShadowHistoryEntry['change']),
        cursor: String(next),
      });
    }
    return entries;
  }
}

function parseCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new SelsynError('request.invalid', 'the cursor is not one of this history', { details: { cursor } });
}
