import type { Kysely, SelectQueryBuilder } from 'kysely';

/** SQLite joins 500 selects at the most (https://sqlite.org/limits.html, SQLITE_MAX_COMPOUND_SELECT). */
const KEYS_PER_STATEMENT = 100;

/**
 * The rows of many keys, each found by a query of its own with its own order and limit: a hundred keys in one statement. For lists within
 * lists: a window function would read all rows of all keys before it limits them.
 *
 * @param query finds those of one key; the columns tell which key a row is of.
 * @returns in no order.
 */
export async function rowsOfEach<S, T extends keyof S, Row, K>(
  database: Kysely<S>,
  keys: readonly K[],
  query: (key: K) => SelectQueryBuilder<S, T, Row>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let start = 0; start < keys.length; start += KEYS_PER_STATEMENT) {
    // Kysely's types do not follow a query into another one; the rows are those of the query.
    const selects = keys
      .slice(start, start + KEYS_PER_STATEMENT)
      .map((key) => database.selectFrom(query(key).as('each')).selectAll()) as unknown as readonly SelectQueryBuilder<
      S,
      T,
      Row
    >[];
    const [first, ...others] = selects;
    if (first === undefined) break;
    const all = others.length === 0 ? first : first.unionAll(others as never);
    rows.push(...((await all.execute()) as readonly Row[]));
  }
  return rows;
}
