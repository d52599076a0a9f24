import type { CompiledQuery, Kysely } from 'kysely';

/**
 * Statements for many rows or keys at once: few sizes, each put together once (for a hundred rows that takes longer than to run it),
 * and kept prepared by the driver.
 */
const SIZES = [256, 64, 16, 4, 1] as const;

type Parameters = readonly unknown[];

/** A statement with so many times the same parameters; they are dummies when it is put together. */
class SizedStatements<Row> {
  readonly #compile: (size: number) => CompiledQuery<Row>;
  readonly #compiled = new Map<number, CompiledQuery<Row>>();

  constructor(compile: (size: number) => CompiledQuery<Row>) {
    this.#compile = compile;
  }

  of(size: number, parameters: Parameters): CompiledQuery<Row> {
    let compiled = this.#compiled.get(size);
    if (compiled === undefined) {
      compiled = this.#compile(size);
      this.#compiled.set(size, compiled);
    }
    return { ...compiled, parameters };
  }
}

/** An insert (or insert-or-update) of many rows. */
export class PreparedInsert<S> {
  readonly #statements: SizedStatements<unknown>;

  /** @param compile puts together the statement for so many rows; its parameters are those of the rows, one after the other. */
  constructor(compile: (rows: number) => CompiledQuery<unknown>) {
    this.#statements = new SizedStatements(compile);
  }

  /** @param rows the parameters of each row. */
  async run(database: Kysely<S>, rows: readonly Parameters[]): Promise<void> {
    let start = 0;
    for (const size of SIZES) {
      for (; rows.length - start >= size; start += size) {
        const parameters = size === 1 ? (rows[start] ?? []) : rows.slice(start, start + size).flat();
        await database.executeQuery(this.#statements.of(size, parameters));
      }
    }
  }
}

/** A query by `... in (...)`. */
export class PreparedFind<S, Row> {
  readonly #statements: SizedStatements<Row>;

  /** @param compile puts together the query for so many keys; its only parameters are the keys. */
  constructor(compile: (keys: number) => CompiledQuery<Row>) {
    this.#statements = new SizedStatements(compile);
  }

  /** In no order. */
  async find(database: Kysely<S>, keys: readonly unknown[]): Promise<readonly Row[]> {
    const [largest] = SIZES;
    const found: Row[] = [];
    for (let start = 0; start < keys.length; start += largest) {
      const some = keys.slice(start, start + largest);
      const size = SIZES.findLast((each) => each >= some.length) ?? largest;
      // Filled up with its own last key.
      while (some.length < size) some.push(some.at(-1));
      const { rows } = await database.executeQuery(this.#statements.of(size, some));
      for (const row of rows) found.push(row);
    }
    return found;
  }
}
