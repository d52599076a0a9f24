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
  const refused = migrate(open.database, MIGRATIONS, '/data/state.db');
  await expect(refused).rejects.toMatchObject({
    code: 'data.corrupt',
    message: expect.stringContaining('/data/state.db was made by a newer'),
  });
});

test('tokens that were given before SCRAM was stay as they are', async () => {
  await using open = openSqliteDatabase(':memory:');
  const before = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0004'));
  await migrate(open.database, before);
  await sql`insert into device (id, created_at_ms) values ('boiler', 1)`.execute(open.database);
  await sql`insert into device_token (device_id, token_hash, created_at_ms) values ('boiler', 'h', 2)`.execute(open.database);
  expect(await migrate(open.database)).toContain('0004-scram');
  expect(await open.database.selectFrom('device_token').selectAll().execute()).toEqual([
    {
      device_id: 'boiler',
      token_hash: 'h',
      created_at_ms: 2,
      scram_salt: null,
      scram_iterations: null,
      scram_stored_key: null,
      scram_server_key: null,
    },
  ]);
  const [secret] = await open.database.selectFrom('server_secret').selectAll().execute();
  expect(secret).toMatchObject({ name: 'scram-challenge', value: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
});

test('the first policy is given the topics of commands where nobody has changed it, and left alone where somebody has', async () => {
  const before = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0019'));
  for (const isChanged of [false, true]) {
    await using open = openSqliteDatabase(':memory:');
    const { database } = open;
    await migrate(database, before);
    const changed = JSON.stringify({ statements: [{ effect: 'allow', actions: ['connect'] }] });
    if (isChanged) await database.updateTable('policy').set({ document: changed }).execute();
    await migrate(database);
    const { document } = await database.selectFrom('policy').select('document').executeTakeFirstOrThrow();
    expect(document.includes('v1/devices/me/rpc/#')).toBe(!isChanged);
    expect(document.includes('$aws/commands/things/${device.id}/#')).toBe(!isChanged);
    if (isChanged) expect(document).toBe(changed);
    else expect(document).toContain('devices/${device.id}/#');
  }
});
