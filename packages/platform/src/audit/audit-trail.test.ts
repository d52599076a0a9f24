import { expect, test } from 'vitest';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { systemActor } from './actor.ts';
import { AuditTrail, type AuditChange } from './audit-trail.ts';

async function open() {
  const file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  const clock = new FakeClock(1000);
  const trail = new AuditTrail({ database: file.database, clock });
  return { trail, clock, database: file.database, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
}

function change(group: string, id: string, more: Partial<AuditChange> = {}): AuditChange {
  return { actor: systemActor('test'), action: 'device.update', object: { kind: 'device', id }, group, ...more };
}

test('an entry says who did what to what, from where, and how it was before and after', async () => {
  await using opened = await open();
  const actor = { kind: 'user', id: 'u1', name: 'someone', remoteAddress: '192.0.2.1' } as const;
  await opened.trail.record([change('/a', 'd1', { actor, before: { name: 'x' }, after: { name: 'y' } })]);
  expect(await opened.trail.list({ limit: 10 })).toEqual([
    {
      id: 1,
      atMs: 1000,
      actor,
      action: 'device.update',
      object: { kind: 'device', id: 'd1' },
      group: '/a',
      before: { name: 'x' },
      after: { name: 'y' },
    },
  ]);
});

test('lists newest first, in pages, by object, time and actor', async () => {
  await using opened = await open();
  await opened.trail.record(Array.from({ length: 450 }, (_, i) => change('/', `d${i % 2}`)));
  opened.clock.advance(10);
  await opened.trail.record([change('/', 'd9')]);
  const first = await opened.trail.list({ limit: 300 });
  const second = await opened.trail.list({ limit: 300, before: first.at(-1)!.id });
  expect([first.length, second.length, first[0]!.object.id]).toEqual([300, 151, 'd9']);
  expect(await opened.trail.list({ limit: 500, objectKind: 'device', objectId: 'd1' })).toHaveLength(225);
  expect(await opened.trail.list({ limit: 500, fromMs: 1001 })).toHaveLength(1);
  expect(await opened.trail.list({ limit: 500, toMs: 1001 })).toHaveLength(450);
  expect(await opened.trail.list({ limit: 500, actorId: 'nobody' })).toEqual([]);
});

test('who may see one group sees what is in it and below, and no sibling whose name begins alike', async () => {
  await using opened = await open();
  await opened.trail.record(['/acme', '/acme/b1', '/acmeto', '/acme-2', '/', '/other'].map((group) => change(group, group)));
  const seen = async (groups: readonly string[]) =>
    (await opened.trail.list({ limit: 10, groups })).map(({ group }) => group).sort();
  expect(await seen(['/acme'])).toEqual(['/acme', '/acme/b1']);
  expect(await seen(['/acme', '/other'])).toEqual(['/acme', '/acme/b1', '/other']);
  expect(await seen([])).toEqual([]);
  expect(await seen(['/'])).toHaveLength(6);
});

test('entries of a transaction that is taken back are not there', async () => {
  await using opened = await open();
  const failing = opened.database.transaction().execute(async (transaction) => {
    await opened.trail.record([change('/', 'd1')], transaction);
    throw new Error('taken back');
  });
  await expect(failing).rejects.toThrow('taken back');
  expect(await opened.trail.list({ limit: 10 })).toEqual([]);
});

test('a description of any size is kept within bounds', async () => {
  await using opened = await open();
  await opened.trail.record([change('/', 'd1', { after: 'x'.repeat(1_000_000) })]);
  const [entry] = await opened.trail.list({ limit: 1 });
  expect(JSON.stringify(entry!.after).length).toBeLessThan(100_000);
});
