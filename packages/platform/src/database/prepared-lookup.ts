import type { Compilable, CompiledQuery } from 'kysely';
import type { Database } from './schema.ts';

/** Stands for the value until there is one: no query has it for a value of its own. */
const PLACEHOLDER = '\0value';

/**
 * A query by one value that every request needs: to put its text together costs several times what it takes to run, so that is
 * done once.
 */
export class PreparedLookup<Row> {
  readonly #database: Database;
  readonly #compiled: CompiledQuery<Row>;

  /** @param build makes the query for a value */
  constructor(database: Database, build: (value: string) => Compilable<Row>) {
    this.#database = database;
    this.#compiled = build(PLACEHOLDER).compile();
  }

  async find(value: string): Promise<readonly Row[]> {
    const parameters = this.#compiled.parameters.map((parameter) => (parameter === PLACEHOLDER ? value : parameter));
    return (await this.#database.executeQuery<Row>({ ...this.#compiled, parameters })).rows;
  }
}
