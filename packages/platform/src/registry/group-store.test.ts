import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { isWithin } from './group-path.ts';
import { openTestRegistry, postingsOf } from './registry.fixture.ts';
import { reindexIfOld } from './device-reindex.ts';
import { isSelsynError } from '../kernel/errors.ts';

const actor = systemActor('test');
const device = (id: string, group: string) => ({ id: id as DeviceId, group });

test('a group is made with all above it, and shows what is in it', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create(device('a', '/acme/b1/f1'), actor);
  await registry.devices.create(device('b', '/acme'), actor);
  await registry.devices.create(device('c', '/'), actor);
  expect((await registry.groups.children({ of: '/', limit: 10 })).items).toMatchObject([
    { path: '/acme', devices: 1, devicesBelow: 2, groups: 1 },
  ]);
  expect(await registry.groups.get('/')).toMatchObject({ devices: 1, devicesBelow: 3, groups: 1 });
  await expect(registry.groups.create('/acme/b1', actor)).rejects.toMatchObject({ code: 'group.exists' });
  await expect(registry.groups.get('/none')).rejects.toMatchObject({ code: 'group.not-found' });
});

test('children come in pages, ordered by path', async () => {
  await using registry = await openTestRegistry();
  for (const name of ['b', 'a', 'd', 'c']) await registry.groups.create(`/${name}/x`, actor);
  const first = await registry.groups.children({ of: '/', limit: 3 });
  const second = await registry.groups.children({ of: '/', limit: 3, cursor: first.cursor });
  expect([...first.items, ...second.items].map(({ path }) => path)).toEqual(['/a', '/b', '/c', '/d']);
  expect(second.cursor).toBeUndefined();
});

test('who sees only nodes further down gets these, and nothing of what lies between or beside', async () => {
  await using registry = await openTestRegistry();
  for (const path of ['/a/b/c', '/a/x', '/z']) await registry.groups.create(path, actor);
  const scope = { groups: ['/a/b', '/z'] };
  const below = async (of: string) => (await registry.groups.children({ of, scope, limit: 10 })).items.map(({ path }) => path);
  expect(await below('/')).toEqual(['/a/b', '/z']);
  expect(await below('/a')).toEqual(['/a/b']);
  expect(await below('/a/b')).toEqual(['/a/b/c']);
  await expect(below('/a/x')).rejects.toMatchObject({ code: 'group.not-found' });
});

test('a moved group takes everything below with it; its fleets follow', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create(device('a', '/acme/b1/f1'), actor);
  await registry.devices.create(device('b', '/acme/b10'), actor);
  await registry.fleets.create({ id: 'f', group: '/acme/b1', filter: 'id exists' }, actor);
  await registry.groups.move('/acme/b1', '/new/place/b-one', actor);
  expect((await registry.devices.get('a' as DeviceId)).group).toBe('/new/place/b-one/f1');
  expect((await registry.devices.get('b' as DeviceId)).group).toBe('/acme/b10');
  expect(await registry.devices.count({ group: '/new' })).toBe(1);
  expect(await registry.devices.count({ group: '/acme' })).toBe(1);
  expect((await registry.fleets.get('f')).group).toBe('/new/place/b-one');
  const trail = await new AuditTrail(registry).list({ limit: 2 });
  expect(trail.map(({ action, group }) => `${action} ${group}`)).toEqual(['group.move /new/place/b-one', 'group.move /acme/b1']);
});

test.each([
  ['/a', '/a/b', 'request.invalid'],
  ['/', '/b', 'request.invalid'],
  ['/a', '/', 'request.invalid'],
  ['/a', 'b', 'request.invalid'],
  ['/none', '/b', 'group.not-found'],
  ['/a', '/z', 'group.exists'],
  ['/a', `/${'n'.repeat(64)}`.repeat(8), 'request.invalid'],
])('%s cannot become %s', async (from, to, code) => {
  await using registry = await openTestRegistry();
  await registry.groups.create('/a/below', actor);
  await registry.groups.create('/z', actor);
  await expect(registry.groups.move(from, to, actor)).rejects.toMatchObject({ code });
  expect((await registry.groups.get('/a')).groups).toBe(1);
});

test('a group that is not empty goes only by force, and its devices then stand above', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create(device('a', '/acme/b1/f1'), actor);
  await registry.fleets.create({ id: 'f', group: '/acme/b1', filter: 'id exists' }, actor);
  await expect(registry.groups.remove('/acme/b1', actor, { force: false })).rejects.toMatchObject({ code: 'group.not-empty' });
  await registry.groups.remove('/acme/b1', actor, { force: true });
  expect((await registry.devices.get('a' as DeviceId)).group).toBe('/acme');
  await expect(registry.groups.get('/acme/b1/f1')).rejects.toMatchObject({ code: 'group.not-found' });
  // The devices of the group above were never meant.
  expect(await registry.devices.count({ filter: 'id exists', group: (await registry.fleets.get('f')).group })).toBe(0);
  await expect(registry.groups.remove('/', actor, { force: true })).rejects.toMatchObject({ code: 'request.invalid' });
});

test('whatever is made, moved and removed: paths, counts and what is found agree', async () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
  const step = fc.oneof(
    fc.tuple(fc.constant('place' as const), fc.constantFrom('d1', 'd2', 'd3', 'd4'), path),
    fc.tuple(fc.constant('move' as const), path, path),
    fc.tuple(fc.constant('remove' as const), path, path),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await using registry = await openTestRegistry();
      const model = new Map<string, string>();
      for (const [kind, first, second] of steps) {
        try {
          if (kind === 'place') {
            if (model.has(first)) await registry.devices.update(first as DeviceId, { group: second }, actor);
            else await registry.devices.create(device(first, second), actor);
            model.set(first, second);
          } else if (kind === 'move') {
            await registry.groups.move(first, second, actor);
            for (const [id, group] of model) if (isWithin(group, first)) model.set(id, second + group.slice(first.length));
          } else {
            await registry.groups.remove(first, actor, { force: true });
            const above = first.slice(0, first.lastIndexOf('/')) || '/';
            for (const [id, group] of model) if (isWithin(group, first)) model.set(id, above);
          }
        } catch (error) {
          if (!isSelsynError(error, 'group.not-found', 'group.exists', 'request.invalid')) throw error;
        }
      }
      const devices = (await registry.devices.list({ limit: 100 })).items;
      expect(new Map(devices.map(({ id, group }) => [id as string, group]))).toEqual(model);
      for (const group of new Set(model.values())) {
        const below = [...model.values()].filter((each) => isWithin(each, group)).length;
        expect((await registry.groups.get(group)).devicesBelow).toBe(below);
        expect(await registry.devices.count({ group })).toBe(below);
      }
      const kept = await postingsOf(registry.database);
      await registry.database.updateTable('registry_counter').set({ value: 0 }).where('name', '=', 'index-version').execute();
      await reindexIfOld(registry.database);
      expect(await postingsOf(registry.database)).toEqual(kept);
    }),
    { numRuns: 60 },
  );
});
