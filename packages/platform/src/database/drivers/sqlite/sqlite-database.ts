import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely';
import type { Schema } from '../../schema.ts';
import { NodeSqlite } from './node-sqlite.ts';
import { fromSqliteError } from './sqlite-errors.ts';

const BUSY_TIMEOUT_MS = 5000;
/** Of the writer: what an import changes again and again stays in memory. */
const CACHE_KIB = 65_536;
/** 32 MB of log before pages go to their place, each once: an import of many devices took half the time of that with 4 MB. */
const CHECKPOINT_PAGES = 8_000;

/** SQLite undoes changes of the schema with the rest of a transaction (https://sqlite.org/lang_transaction.html). */
class NodeSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDialect extends SqliteDialect {
  override createAdapter(): NodeSqliteAdapter {
    return new NodeSqliteAdapter();
  }
}

/** A connection and the one who closes it. */
export class OpenDatabase<S = Schema> implements AsyncDisposable {
  readonly database: Kysely<S>;
  readonly #file: NodeSqlite;

  constructor(database: Kysely<S>, file: NodeSqlite) {
    this.database = database;
    this.#file = file;
  }

  /** Waits for the queries under way. Kysely closes only what it has used, so the file is closed here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.destroy();
    this.#file.close();
  }
}

/**
 * Opens the one writing connection to a SQLite file, which is made if it is not there.
 *
 * A committed transaction is on disk (WAL, synchronous=FULL).
 *
 * @param checkpointPages so many pages of 4 KB are logged before they go to their places: a transaction waits for that now and then,
 * the longer the more they are.
 *
 * @throws SelsynError `data.unwritable`, `data.corrupt`, `data.locked`
 */
export function openSqliteDatabase<S = Schema>(path: string, checkpointPages: number = CHECKPOINT_PAGES): OpenDatabase<S> {
  return open<S>(path, false, [
    'PRAGMA journal_mode = WAL',
    'PRAGMA synchronous = FULL',
    `PRAGMA cache_size = -${CACHE_KIB}`,
    `PRAGMA wal_autocheckpoint = ${checkpointPages}`,
  ]);
}

/**
 * Opens an existing SQLite file to be read while another thread writes it: every query sees what was last committed.
 *
 * @throws SelsynError `data.unwritable` when it is not there, `data.corrupt`
 */
export function openSqliteReader<S = Schema>(path: string): OpenDatabase<S> {
  return open<S>(path, true, []);
}

function open<S>(path: string, readOnly: boolean, pragmas: readonly string[]): OpenDatabase<S> {
  try {
    const database = new DatabaseSync(path, { readOnly, timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    try {
      for (const pragma of pragmas) database.exec(pragma);
      // Opening reads nothing: a file that is no database shows here, not at the first query.
      database.prepare('SELECT count(*) FROM sqlite_master').get();
    } catch (error) {
      database.close();
      throw error;
    }
    const file = new NodeSqlite(path, database);
    return new OpenDatabase(new Kysely<S>({ dialect: new NodeSqliteDialect({ database: file }) }), file);
  } catch (error) {
    throw fromSqliteError(error, path);
  }
}
