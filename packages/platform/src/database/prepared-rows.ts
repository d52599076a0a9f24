import type { Compilable, CompiledQuery, Kysely } from 'kysely';

/**
 * Statements for many rows or keys at once: few sizes, each put together once (for a hundred rows that takes longer than to run it),
 * and kept prepared by the driver.
 */
const SIZES = [256, 64, 16, 4, 1] as const;

/** A statement with so many times the same parameters; they are dummies when it is put together. */
class SizedStatements<Row> {
  readonly #compile: (size: number) => CompiledQuery<Row>;
  readonly #compiled = new Map<number, CompiledQuery<Row>>();

  constructor(compile: (size: number) => CompiledQuery<Row>) {
    this.#compile = compile;
  }

  of(size: number, parameters: readonly unknown[]): CompiledQuery<Row> {
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
  /** Parameters of a row. */
  readonly #width: number;
  readonly #statements: SizedStatements<unknown>;

  /** @param compile puts together the statement for so many rows; its parameters are those of the rows, one after the other. */
  constructor(compile: (rows: number) => CompiledQuery<unknown>) {
    this.#width = compile(1).parameters.length;
    this.#statements = new SizedStatements(compile);
  }

  /** @param parameters of all rows, one after the other. */
  async run(database: Kysely<S>, parameters: readonly unknown[]): Promise<void> {
    let start = 0;
    for (const size of SIZES) {
      const length = size * this.#width;
      for (; parameters.length - start >= length; start += length) {
        await database.executeQuery(this.#statements.of(size, parameters.slice(start, start + length)));
      }
    }
  }
}

/** As {@link PreparedInsert}, of rows as objects. */
export class PreparedRows<S, Row extends object> {
  readonly #columns: readonly (keyof Row & string)[];
  readonly #build: (database: Kysely<S>, rows: readonly Readonly<Record<keyof Row & string, never>>[]) => Compilable;
  #insert: PreparedInsert<S> | undefined;

  /** @param build makes the statement for rows; it gets each with these columns, and has no other parameters. */
  constructor(
    columns: readonly (keyof Row & string)[],
    build: (database: Kysely<S>, rows: readonly Readonly<Record<keyof Row & string, never>>[]) => Compilable,
  ) {
    this.#columns = columns;
    this.#build = build;
  }

  async run(database: Kysely<S>, rows: readonly Row[]): Promise<void> {
    this.#insert ??= new PreparedInsert((count) => {
      // Only the places of the values are of interest.
      const dummy = Object.fromEntries(this.#columns.map((column) => [column, ''])) as Record<keyof Row & string, never>;
      return this.#build(
        database,
        Array.from({ length: count }, () => dummy),
      ).compile();
    });
    const parameters: unknown[] = [];
    for (const row of rows) for (const column of this.#columns) parameters.push(row[column]);
    await this.#insert.run(database, parameters);
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
