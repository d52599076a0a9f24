import { PreparedFind, PreparedInsert } from '../database/prepared-rows.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import type { ShadowTable } from '../database/tables/shadow-tables.ts';

export type ShadowRow = Readonly<Pick<ShadowTable, keyof ShadowTable>>;

/** What is to be added to the history. */
export interface HistoryRow {
  readonly id: number;
  readonly shadowId: number;
  readonly previous: number;
  readonly version: number;
  readonly atMs: number;
  readonly author: string;
  /** '' of a deletion. */
  readonly change: string;
}

const COLUMNS = ['id', 'path', 'version', 'history_id', 'created_at_ms', 'updated_at_ms', 'deleted_at_ms', 'document'] as const;

/** The rows of shadows, many at once. */
export class ShadowRows {
  readonly #byPath: PreparedFind<StateSchema, ShadowRow>;
  readonly #put: PreparedInsert<StateSchema>;
  readonly #addHistory: PreparedInsert<StateSchema>;

  /** @param database only puts the statements together: each call says in which transaction it runs. */
  constructor(database: StateDatabase) {
    this.#byPath = new PreparedFind((keys) =>
      database
        .selectFrom('shadow')
        .select(COLUMNS)
        .where(
          'path',
          'in',
          Array.from({ length: keys }, () => ''),
        )
        .compile(),
    );
    this.#put = new PreparedInsert((rows) =>
      database
        .insertInto('shadow')
        .values(Array.from({ length: rows }, () => SOME_SHADOW))
        .onConflict((conflict) =>
          conflict.column('id').doUpdateSet((row) => ({
            version: row.ref('excluded.version'),
            history_id: row.ref('excluded.history_id'),
            created_at_ms: row.ref('excluded.created_at_ms'),
            updated_at_ms: row.ref('excluded.updated_at_ms'),
            deleted_at_ms: row.ref('excluded.deleted_at_ms'),
            document: row.ref('excluded.document'),
          })),
        )
        .compile(),
    );
    this.#addHistory = new PreparedInsert((rows) =>
      database
        .insertInto('shadow_history')
        .values(Array.from({ length: rows }, () => SOME_HISTORY))
        .compile(),
    );
  }

  /** Those that there are, in no order. */
  async find(database: StateDatabase, paths: readonly string[]): Promise<readonly ShadowRow[]> {
    return await this.#byPath.find(database, paths);
  }

  /** Inserts or replaces by id. */
  async put(database: StateDatabase, rows: readonly ShadowRow[]): Promise<void> {
    await this.#put.run(
      database,
      rows.map((row) => [
        row.id,
        row.path,
        row.version,
        row.history_id,
        row.created_at_ms,
        row.updated_at_ms,
        row.deleted_at_ms,
        row.document,
      ]),
    );
  }

  async addHistory(database: StateDatabase, rows: readonly HistoryRow[]): Promise<void> {
    await this.#addHistory.run(
      database,
      rows.map((row) => [row.id, row.shadowId, row.previous, row.version, row.atMs, row.author, row.change]),
    );
  }

  /** The largest ids that there are, 0 for none. */
  async lastIds(database: StateDatabase): Promise<{ readonly shadow: number; readonly history: number }> {
    const shadow = await database.selectFrom('shadow').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    const history = await database.selectFrom('shadow_history').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    return { shadow: Number(shadow?.id ?? 0), history: Number(history?.id ?? 0) };
  }
}

/** Their order is that of the parameters. */
const SOME_SHADOW = {
  id: 0,
  path: '',
  version: 0,
  history_id: 0,
  created_at_ms: 0,
  updated_at_ms: 0,
  deleted_at_ms: null,
  document: '',
} satisfies ShadowRow;

const SOME_HISTORY = { id: 0, shadow_id: 0, previous: 0, version: 0, at_ms: 0, author: '', change: '' };
