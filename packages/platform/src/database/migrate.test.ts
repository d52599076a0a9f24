import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openSqliteDatabase } from './drivers/sqlite/sqlite-database.ts';
import { migrate, MIGRATIONS } from './migrate.ts';

test('takes every step in order, once, and records it', async () => {
  await using open = openSqliteDatabase(':memory:');
  const names = Object.keys(MIGRATIONS);
  expect(names).toEqual(names.toSorted());
  expect(await migrate(open.database)).toEqual(names);
  expect(await migrate(open.database)).toEqual([]);
});

test('a step that fails undoes all of this run and can be tried again', async () => {
  await using open = openSqliteDatabase(':memory:');
  const broken = {
    ...MIGRATIONS,
    '9999-broken': {
      async up(): Promise<void> {
        await Promise.reject(new Error('on purpose'));
      },
    },
  };
  await expect(migrate(open.database, broken)).rejects.toMatchObject({ code: 'internal', details: { step: '9999-broken' } });
  const { rows } = await sql<{ name: string }>`select name from sqlite_master where name = 'device'`.execute(open.database);
  expect(rows).toEqual([]);
  expect(await migrate(open.database)).toEqual(Object.keys(MIGRATIONS));
});

test('a database of a newer program is left alone', async () => {
  await using open = openSqliteDatabase(':memory:');
  const newer = { ...MIGRATIONS, '9999-newer': { up: async (): Promise<void> => undefined } };
  await migrate(open.database, newer);
  await expect(migrate(open.database)).rejects.toMatchObject({ code: 'data.corrupt' });
});
