import { expect, test } from 'vitest';
import { openSqliteDatabase } from './drivers/sqlite/sqlite-database.ts';
import { migrate } from './migrate.ts';
import { rowsOfEach } from './rows-of-each.ts';
import { STATE_MIGRATIONS } from './state-migrations.ts';
import type { StateSchema } from './schema.ts';

test('each of more than a hundred keys gives its own rows, the first of its own order and up to its own limit', async () => {
  await using open = openSqliteDatabase<StateSchema>(':memory:');
  const { database } = open;
  await migrate(database, STATE_MIGRATIONS);
  const keys = Array.from({ length: 230 }, (_, index) => `k${String(index).padStart(3, '0')}`);
  const rows = keys.flatMap((key, index) =>
    Array.from({ length: index % 5 }, (_, n) => ({ stream: `${key}/${n}`, position: n })),
  );
  await database.insertInto('state_position').values(rows).execute();
  const found = await rowsOfEach(database, keys, (key) =>
    database
      .selectFrom('state_position')
      .select(['stream', 'position'])
      .where('stream', '>', `${key}/`)
      .where('stream', '<', `${key}0`)
      .orderBy('position', 'desc')
      .limit(2),
  );
  expect(found.map(({ stream }) => stream).sort()).toEqual(
    keys
      .flatMap((key, index) =>
        [3, 2, 1, 0]
          .filter((n) => n < index % 5)
          .slice(0, 2)
          .map((n) => `${key}/${n}`),
      )
      .sort(),
  );
  expect(await rowsOfEach(database, [], () => database.selectFrom('state_position').selectAll())).toEqual([]);
});
