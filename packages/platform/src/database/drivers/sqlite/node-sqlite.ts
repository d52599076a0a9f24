import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { fromSqliteError } from './sqlite-errors.ts';

const MAX_STATEMENTS = 128;
/** As Kysely writes it. */
const ROLLBACK = 'rollback';
const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
};

/**
 * `node:sqlite` in the shape that Kysely's SQLite dialect wants.
 *
 * Statements are prepared once and kept, at most 128 of them, the longest unused first to go. That is sound because
 * each call reads its rows to the end before it returns.
 */
export class NodeSqlite implements SqliteDatabase {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, NodeSqliteStatement>();

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  prepare(sql: string): SqliteStatement {
    // Where the disk is full, SQLite gives up the transaction itself (https://sqlite.org/lang_transaction.html, section 3). To
    // roll back what is not there would fail, and hide what the matter was.
    if (sql === ROLLBACK && !this.#database.isTransaction) return NOTHING;
    const kept = this.#statements.get(sql);
    if (kept !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, kept);
      return kept;
    }
    try {
      const statement = new NodeSqliteStatement(this.#path, this.#database.prepare(sql));
      this.#statements.set(sql, statement);
      if (this.#statements.size > MAX_STATEMENTS) {
        for (const oldest of this.#statements.keys()) {
          this.#statements.delete(oldest);
          break;
        }
      }
      return statement;
    } catch (error) {
      throw fromSqliteError(error, this.#path);
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

class NodeSqliteStatement implements SqliteStatement {
  readonly #path: string;
  readonly #statement: StatementSync;
  readonly reader: boolean;

  constructor(path: string, statement: StatementSync) {
    this.#path = path;
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    try {
      return this.#statement.all(...asInput(parameters));
    } catch (error) {
      throw fromSqliteError(error, this.#path);
    }
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    try {
      return this.#statement.run(...asInput(parameters));
    } catch (error) {
      throw fromSqliteError(error, this.#path);
    }
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.all(parameters).values();
  }
}

/** Kysely passes on what the typed queries were given: `node:sqlite` refuses at run time what it cannot bind. */
function asInput(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}
