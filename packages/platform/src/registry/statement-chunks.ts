/** PostgreSQL and SQLite bind far more; a statement of this size stays under a few ms. */
export const ROWS_PER_STATEMENT = 500;

const SIZES = [1, 10, 100, ROWS_PER_STATEMENT];

/**
 * The keys for several statements with `in (...)`. The last chunk is filled up with its own last key, so that there are four
 * different statements for each query, whatever the number of keys: prepared ones are kept.
 */
export function* chunksOf<T>(keys: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < keys.length; start += ROWS_PER_STATEMENT) {
    const chunk = keys.slice(start, start + ROWS_PER_STATEMENT);
    const size = SIZES.find((each) => each >= chunk.length) ?? ROWS_PER_STATEMENT;
    const last = chunk.at(-1);
    while (last !== undefined && chunk.length < size) chunk.push(last);
    yield chunk;
  }
}
