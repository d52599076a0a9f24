import { PreparedFind, PreparedInsert } from '../database/prepared-rows.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import type { ShadowTable } from '../database/tables/shadow-tables.ts';

export type ShadowRow = ShadowTable;

const SHADOW_COLUMNS = [
  'id',
  'path',
  'version',
  'history_id',
  'created_at_ms',
  'updated_at_ms',
  'deleted_at_ms',
  'state',
  'details',
] as const;

/** Their order is that of the parameters. */
const SOME_SHADOW = {
  id: 0,
  path: '',
  version: 0,
  history_id: 0,
  created_at_ms: 0,
  updated_at_ms: 0,
  deleted_at_ms: null,
  state: '',
  details: '',
} satisfies ShadowRow;
const SOME_HISTORY = { id: 0, shadow_id: 0, previous: 0, version: 0, at_ms: 0, author: '', change: '' };

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
        .select(SHADOW_COLUMNS)
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
            state: row.ref('excluded.state'),
            details: row.ref('excluded.details'),
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

  /** Inserts or replaces by id; the order of their ids is that of the pages of the table. */
  async put(database: StateDatabase, rows: readonly ShadowRow[]): Promise<void> {
    const parameters: unknown[] = [];
    for (const row of rows) for (const column of SHADOW_COLUMNS) parameters.push(row[column]);
    await this.#put.run(database, parameters);
  }

  /** @param parameters of all rows: id, shadow_id, previous, version, at_ms, author, change. */
  async addHistory(database: StateDatabase, parameters: readonly unknown[]): Promise<void> {
    await this.#addHistory.run(database, parameters);
  }

  /** The largest ids that there are, 0 for none. */
  async lastIds(database: StateDatabase): Promise<{ readonly shadow: number; readonly history: number }> {
    const shadow = await database.selectFrom('shadow').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    const history = await database.selectFrom('shadow_history').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    return { shadow: Number(shadow?.id ?? 0), history: Number(history?.id ?? 0) };
  }
}
