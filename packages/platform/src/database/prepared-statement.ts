import type { Compilable, CompiledQuery, Kysely } from 'kysely';

/**
 * A statement whose text is put together once, and used with other values each time: Kysely needs several times as long for the
 * text as SQLite for what it says.
 */
export class PreparedStatement<S, Row = unknown> {
  readonly #valueCount: number;
  readonly #build: (database: Kysely<S>, values: readonly never[]) => Compilable<Row>;
  #prepared: { readonly query: CompiledQuery<Row>; readonly places: readonly (number | undefined)[] } | undefined;

  /** @param build makes the statement of as many values, each of which it uses as it is, as often as it likes. */
  constructor(valueCount: number, build: (database: Kysely<S>, values: readonly never[]) => Compilable<Row>) {
    this.#valueCount = valueCount;
    this.#build = build;
  }

  async run(database: Kysely<S>, values: readonly unknown[]): Promise<readonly Row[]> {
    const { query, places } = (this.#prepared ??= this.#prepare(database));
    const parameters = query.parameters.map((parameter, index) => {
      const place = places[index];
      return place === undefined ? parameter : values[place];
    });
    return (await database.executeQuery<Row>({ ...query, parameters })).rows;
  }

  #prepare(database: Kysely<S>): { query: CompiledQuery<Row>; places: (number | undefined)[] } {
    const standIns = Array.from({ length: this.#valueCount }, (_, index) => `\0${index}`);
    // A stand-in is a text wherever the value is a number: only the place of it is of interest.
    const query = this.#build(database, standIns as unknown as readonly never[]).compile();
    const known = new Map<unknown, number>(standIns.map((standIn, index) => [standIn, index]));
    return { query, places: query.parameters.map((parameter) => known.get(parameter)) };
  }
}
