import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { DeviceStore, MAX_ENSURED } from './device-store.ts';

async function open(): Promise<{ store: DeviceStore; clock: FakeClock } & AsyncDisposable> {
  const file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  const clock = new FakeClock(1000);
  return {
    store: new DeviceStore({ database: file.database, clock }),
    clock,
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

const id = (text: string): DeviceId => parseDeviceId(text);

test('a device is found as it was made, tags in order and each once', async () => {
  await using registry = await open();
  await registry.store.create({ id: id('boiler'), name: 'Boiler', tags: ['z', 'demo', 'z'] });
  expect(await registry.store.find(id('boiler'))).toEqual({
    id: 'boiler',
    name: 'Boiler',
    group: '/',
    attributes: {},
    tags: ['demo', 'z'],
    createdAtMs: 1000,
    updatedAtMs: 1000,
  });
  expect(await registry.store.find(id('other'))).toBeUndefined();
  await expect(registry.store.get(id('other'))).rejects.toMatchObject({ code: 'device.not-found', details: { id: 'other' } });
});

test('an id is taken once, and the second attempt changes nothing', async () => {
  await using registry = await open();
  await registry.store.create({ id: id('boiler'), tags: ['first'] });
  await expect(registry.store.create({ id: id('boiler'), tags: ['second'] })).rejects.toMatchObject({ code: 'device.exists' });
  expect((await registry.store.get(id('boiler'))).tags).toEqual(['first']);
});

test('names and tags are checked', async () => {
  await using registry = await open();
  const cases = [
    { name: '' },
    { name: 'x'.repeat(201) },
    { tags: ['a b'] },
    { tags: [''] },
    { tags: Array.from({ length: 17 }, (_, i) => `t${i}`) },
  ];
  for (const draft of cases) {
    await expect(registry.store.create({ id: id('a'), ...draft })).rejects.toMatchObject({ code: 'request.invalid' });
  }
  expect(await registry.store.count()).toBe(0);
});

test('a removed device leaves no tag behind', async () => {
  await using registry = await open();
  await registry.store.create({ id: id('a'), tags: ['demo'] });
  expect(await registry.store.remove(id('a'))).toBe(true);
  expect(await registry.store.remove(id('a'))).toBe(false);
  await registry.store.create({ id: id('a') });
  expect((await registry.store.get(id('a'))).tags).toEqual([]);
});

test('pages together are the whole list in byte order, whatever their size and the filter', async () => {
  await using registry = await open();
  const idText = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '-', '_', ':', '.', '7'), minLength: 1, maxLength: 4 });
  const ids = new Set(fc.sample(idText, { numRuns: 120, seed: 7, path: '' }));
  for (const each of ids) await registry.store.create({ id: id(each), tags: each.length % 2 === 0 ? ['even'] : [] });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 150 }),
      fc.option(idText, { nil: undefined }),
      fc.boolean(),
      async (limit, idPrefix, even) => {
        const filter = { idPrefix, tag: even ? 'even' : undefined };
        const found: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await registry.store.list({ ...filter, limit, cursor });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          found.push(...page.items.map((device) => device.id));
          cursor = page.cursor;
        } while (cursor !== undefined);
        const expected = [...ids].filter((each) => each.startsWith(idPrefix ?? '') && (!even || each.length % 2 === 0)).sort();
        expect(found).toEqual(expected);
        expect(await registry.store.count(filter)).toBe(expected.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('a page goes on after its last device although that one was removed', async () => {
  await using registry = await open();
  for (const each of ['a', 'b', 'c']) await registry.store.create({ id: id(each) });
  const page = await registry.store.list({ limit: 2 });
  await registry.store.remove(id('b'));
  expect((await registry.store.list({ limit: 2, cursor: page.cursor })).items.map((device) => device.id)).toEqual(['c']);
});

test('a cursor that no list gave is refused', async () => {
  await using registry = await open();
  for (const cursor of ['', '!', 'YQ==', '%']) {
    await expect(registry.store.list({ limit: 1, cursor })).rejects.toMatchObject({ code: 'request.invalid' });
  }
});

test('ensure adds what is missing, tagged open, leaves the others as they are, and is bounded', async () => {
  await using registry = await open();
  await registry.store.create({ id: id('old'), tags: ['mine'] });
  registry.clock.advance(500);
  const many = Array.from({ length: 1200 }, (_, i) => id(`device-${i}`));
  expect(await registry.store.ensure([...many, id('old'), id('device-0')])).toBe(1200);
  expect(await registry.store.ensure(many)).toBe(0);
  expect(await registry.store.get(id('old'))).toMatchObject({ id: 'old', tags: ['mine'], createdAtMs: 1000 });
  expect(await registry.store.get(id('device-1199'))).toMatchObject({ id: 'device-1199', tags: ['open'], createdAtMs: 1500 });
  expect(await registry.store.count({ tag: 'open' })).toBe(1200);
  const tooMany = Array.from({ length: MAX_ENSURED + 1 }, (_, i) => id(`x${i}`));
  await expect(registry.store.ensure(tooMany)).rejects.toMatchObject({ code: 'request.too-large' });
});
