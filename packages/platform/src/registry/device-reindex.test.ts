import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate, MIGRATIONS } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { reindexIfOld } from './device-reindex.ts';
import { DeviceStore } from './device-store.ts';

test('devices of an installation of before are there, in the root, in the order of their making, and are found', async () => {
  await using open = openSqliteDatabase(':memory:');
  const { database } = open;
  await migrate(database, Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0006')));
  for (const [id, atMs] of [
    ['z', 1],
    ['a', 2],
    ['m', 2],
  ]) {
    await sql`insert into device (id, created_at_ms) values (${id}, ${atMs})`.execute(database);
  }
  await sql`insert into device_tag (device_id, tag) values ('a', 'open')`.execute(database);
  await migrate(database);
  expect(await reindexIfOld(database)).toBe(3);
  const store = new DeviceStore({ database, clock: new FakeClock(5) });
  const ids = async (filter: string) => (await store.list({ filter, limit: 10 })).items.map(({ id }) => id);
  expect(await ids('group = "/"')).toEqual(['z', 'a', 'm']);
  expect(await ids('tags has "open" and createdAt >= 2')).toEqual(['a']);
  expect(await store.get('z' as never)).toEqual({
    id: 'z',
    group: '/',
    attributes: {},
    tags: [],
    createdAtMs: 1,
    updatedAtMs: 1,
  });
  await store.create({ id: 'new' as never });
  expect(await ids('group = "/"')).toEqual(['z', 'a', 'm', 'new']);
  expect(await store.count()).toBe(4);
});
