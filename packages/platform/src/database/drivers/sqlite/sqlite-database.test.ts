import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../migrate.ts';
import { openSqliteDatabase, openSqliteReader } from './sqlite-database.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'selsyn-database-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const device = (id: string) => ({ id, name: null, created_at_ms: 1 });

test('a commit is synced: write-ahead log, synchronous=FULL, foreign keys on, a busy timeout', async () => {
  await using open = openSqliteDatabase(path.join(folder, 'registry.db'));
  const pragma = async (name: string): Promise<unknown> => {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.raw(`pragma_${name}`)}`.execute(open.database);
    return Object.values(rows[0] ?? {})[0];
  };
  expect(await pragma('journal_mode')).toBe('wal');
  expect(await pragma('synchronous')).toBe(2);
  expect(await pragma('foreign_keys')).toBe(1);
  expect(await pragma('busy_timeout')).toBe(5000);
});

test('a reader sees what was committed, at once, and cannot write', async () => {
  const file = path.join(folder, 'registry.db');
  await using writer = openSqliteDatabase(file);
  await migrate(writer.database);
  await using reader = openSqliteReader(file);
  const ids = async (): Promise<string[]> =>
    (await reader.database.selectFrom('device').select('id').execute()).map((row) => row.id);

  expect(await ids()).toEqual([]);
  await writer.database.transaction().execute(async (transaction) => {
    await transaction.insertInto('device').values(device('one')).execute();
    expect(await ids()).toEqual([]);
  });
  expect(await ids()).toEqual(['one']);
  await expect(reader.database.insertInto('device').values(device('two')).execute()).rejects.toMatchObject({
    code: 'data.unwritable',
  });
});

test('a transaction that SQLite itself gave up, as it does where the disk is full, fails with why, and the next one is taken', async () => {
  await using open = openSqliteDatabase(path.join(folder, 'registry.db'));
  const { database } = open;
  await migrate(database);
  await sql`create table filled (id integer primary key)`.execute(database);
  await sql`create trigger full_disk before insert on filled when new.id = 1 begin select raise(rollback, 'out of space'); end`.execute(
    database,
  );
  const fill = async (id: number) =>
    await database.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('device')
        .values(device(`lost-${id}`))
        .execute();
      await sql`insert into filled values (${id})`.execute(transaction);
    });
  await expect(fill(1)).rejects.toThrow('out of space');
  await fill(2);
  const left = await database.selectFrom('device').select('id').execute();
  expect(left).toEqual([{ id: 'lost-2' }]);
});

test('a transaction that throws leaves nothing, and those of other callers wait for it', async () => {
  await using open = openSqliteDatabase(path.join(folder, 'registry.db'));
  const { database } = open;
  await migrate(database);
  const fails = database.transaction().execute(async (transaction) => {
    await transaction.insertInto('device').values(device('lost')).execute();
    throw new Error('on purpose');
  });
  const succeeds = database
    .transaction()
    .execute((transaction) => transaction.insertInto('device').values(device('kept')).execute());
  await expect(fails).rejects.toThrow('on purpose');
  await succeeds;
  expect(await database.selectFrom('device').select('id').execute()).toEqual([{ id: 'kept' }]);
});

test('more different statements than are kept still run', async () => {
  await using open = openSqliteDatabase(':memory:');
  for (let i = 0; i < 300; i++) {
    const { rows } = await sql<{ n: number }>`select ${sql.raw(String(i))} as n`.execute(open.database);
    expect(rows[0]?.n).toBe(i);
  }
});

test('a file that is no database is data.corrupt, a folder that is not there is data.unwritable', () => {
  const file = path.join(folder, 'registry.db');
  writeFileSync(file, 'this is not a database, although it is long enough to have a header of 100 bytes'.repeat(10));
  expect(() => openSqliteDatabase(file)).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
  expect(() => openSqliteReader(path.join(folder, 'none.db'))).toThrow(expect.objectContaining({ code: 'data.unwritable' }));
  expect(() => openSqliteDatabase(path.join(folder, 'none', 'registry.db'))).toThrow(
    expect.objectContaining({ code: 'data.unwritable' }),
  );
});

test('a connection that was never used is closed too', async () => {
  const file = path.join(folder, 'registry.db');
  const writer = openSqliteDatabase(file);
  await migrate(writer.database);
  const reader = openSqliteReader(file);
  await reader[Symbol.asyncDispose]();
  await expect(reader.database.selectFrom('device').selectAll().execute()).rejects.toThrow();
  await writer[Symbol.asyncDispose]();
});
