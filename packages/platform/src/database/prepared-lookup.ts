import type { Compilable } from 'kysely';
import { PreparedStatement } from './prepared-statement.ts';
import type { Database, Schema } from './schema.ts';

/** A query by one value that every request needs, of one database: see PreparedStatement. */
export class PreparedLookup<Row> {
  readonly #database: Database;
  readonly #statement: PreparedStatement<Schema, Row>;

  /** @param build makes the query for a value */
  constructor(database: Database, build: (value: string) => Compilable<Row>) {
    this.#database = database;
    this.#statement = new PreparedStatement(1, (_, [value]) => build(value ?? ''));
  }

  async find(value: string): Promise<readonly Row[]> {
    return await this.#statement.run(this.#database, [value]);
  }
}
