import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { Database } from '../database/schema.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { ApiKeys, MAX_API_KEYS } from './api-keys.ts';

async function open(): Promise<{ keys: ApiKeys; database: Database } & AsyncDisposable> {
  const file = openSqliteDatabase(':memory:');
  const { database } = file;
  await migrate(database);
  let calls = 0;
  const random = (count: number) => createHash('shake256', { outputLength: count }).update(String(calls++)).digest();
  const keys = new ApiKeys({ database, clock: new FakeClock(5), random, adminKey: 'the admin key' });
  return { keys, database, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
}

test('the key of the configuration is the administrator’s; others are nobody’s', async () => {
  await using identity = await open();
  expect(await identity.keys.authenticate('the admin key')).toEqual({ name: 'admin', access: 'admin' });
  for (const key of ['', 'the admin ke', 'the admin key ', 'THE ADMIN KEY', 'x'.repeat(1_000_000)]) {
    expect(await identity.keys.authenticate(key)).toBeUndefined();
  }
});

test('a further key works until it is taken back, and only its hash is kept', async () => {
  await using identity = await open();
  const { key, ...made } = await identity.keys.create({ name: 'grafana', access: 'read' });
  expect(made).toMatchObject({ name: 'grafana', access: 'read', createdAtMs: 5 });
  expect(await identity.keys.authenticate(key)).toEqual({ name: 'grafana', access: 'read' });
  expect(await identity.keys.list()).toEqual([made]);
  expect(JSON.stringify(await identity.database.selectFrom('api_key').selectAll().execute())).not.toContain(key);
  await identity.keys.remove(made.id);
  expect(await identity.keys.authenticate(key)).toBeUndefined();
  await expect(identity.keys.remove(made.id)).rejects.toMatchObject({ code: 'api-key.not-found' });
});

test('an access that is not known may only read', async () => {
  await using identity = await open();
  const { key } = await identity.keys.create({ name: 'old', access: 'admin' });
  await identity.database.updateTable('api_key').set({ access: 'superuser' }).execute();
  expect(await identity.keys.authenticate(key)).toEqual({ name: 'old', access: 'read' });
});

test('there is a bound on the number of keys', async () => {
  await using identity = await open();
  const rows = Array.from({ length: MAX_API_KEYS }, (_, i) => ({
    id: `k${i}`,
    name: 'k',
    access: 'read',
    key_hash: `h${i}`,
    created_at_ms: i,
  }));
  await identity.database.insertInto('api_key').values(rows).execute();
  await expect(identity.keys.create({ name: 'one more', access: 'read' })).rejects.toMatchObject({ code: 'request.too-large' });
});
