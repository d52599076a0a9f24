import { expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import { AuditTrail } from '../audit/audit-trail.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { openTestRegistry } from './registry.fixture.ts';

const actor = systemActor('test');
const id = (text: string): DeviceId => text as DeviceId;

test('of many devices each has an outcome of its own, and one that is refused keeps no other out', async () => {
  await using registry = await openTestRegistry();
  await registry.types.create({ name: 'boiler' }, actor);
  await registry.devices.create({ id: id('old'), tags: ['kept'] }, actor);
  const drafts = [
    { id: id('a'), type: 'boiler', group: '/x' },
    { id: id('b'), type: 'none' },
    { id: id('old'), name: 'new name' },
    { id: id('c'), tags: ['a b'] },
    { id: id('a'), name: 'again' },
  ];
  const created = await registry.devices.put(drafts, 'create', actor);
  expect(created.map(({ outcome }) => outcome)).toEqual(['created', 'refused', 'exists', 'refused', 'exists']);
  expect(created[1]).toMatchObject({ error: { code: 'request.invalid', details: { field: 'type' } } });
  expect(await registry.devices.get(id('old'))).not.toHaveProperty('name');
  const upserted = await registry.devices.put(drafts, 'upsert', actor);
  expect(upserted.map(({ outcome }) => outcome)).toEqual(['unchanged', 'refused', 'updated', 'refused', 'updated']);
  expect(await registry.devices.get(id('a'))).toMatchObject({ name: 'again', type: 'boiler', group: '/x' });
  expect(await registry.devices.get(id('old'))).toMatchObject({ name: 'new name', tags: ['kept'] });
  expect(await registry.devices.count({ filter: 'type = "boiler"' })).toBe(1);
  const trail = await new AuditTrail(registry).list({ objectKind: 'device', limit: 100 });
  expect(trail.map(({ action, object }) => `${action} ${object.id}`)).toEqual([
    'device.update a',
    'device.update old',
    'device.create a',
    'device.create old',
  ]);
});

test('attributes of an upsert take the place of those that were there', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('a'), attributes: { x: 1, y: 2 } }, actor);
  await registry.devices.put([{ id: id('a'), attributes: { x: 1 } }], 'upsert', actor);
  expect((await registry.devices.get(id('a'))).attributes).toEqual({ x: 1 });
  expect(await registry.devices.count({ filter: 'attributes.y exists' })).toBe(0);
});

test('what fails at the end leaves nothing: not the device, not its trail, not what it is found by', async () => {
  await using registry = await openTestRegistry();
  const failing = registry.database.transaction().execute(async (transaction) => {
    const { DeviceStore } = await import('./device-store.ts');
    await new DeviceStore({ database: transaction, clock: registry.clock }).create(
      { id: id('a'), group: '/x', tags: ['t'] },
      actor,
    );
    throw new Error('taken back');
  });
  await expect(failing).rejects.toThrow('taken back');
  expect(await registry.devices.count()).toBe(0);
  expect(await registry.devices.count({ filter: 'tags has "t"' })).toBe(0);
  expect(await new AuditTrail(registry).list({ limit: 10 })).toEqual([]);
  await expect(registry.groups.get('/x')).rejects.toMatchObject({ code: 'group.not-found' });
});

test('a patch that would not fit changes nothing, and one that says nothing new is no change', async () => {
  await using registry = await openTestRegistry();
  const before = await registry.devices.create({ id: id('a'), attributes: { x: { y: 1 } }, tags: ['t'] }, actor);
  registry.clock.advance(10);
  await expect(registry.devices.update(id('a'), { tags: ['b c'], name: 'n' }, actor)).rejects.toMatchObject({
    code: 'request.invalid',
  });
  await expect(
    registry.devices.update(id('a'), { attributes: { x: { y: { z: { u: { v: 1 } } } } } }, actor),
  ).rejects.toMatchObject({
    code: 'request.invalid',
  });
  expect(await registry.devices.update(id('a'), { attributes: { x: { y: 1 } }, tags: ['t'] }, actor)).toEqual(before);
  expect(await new AuditTrail(registry).list({ limit: 10 })).toHaveLength(1);
});

test('out of the scope a device is not there, and none is put there', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('in'), group: '/a/b' }, actor);
  await registry.devices.create({ id: id('out'), group: '/ab' }, actor);
  const scope = { groups: ['/a'] };
  expect(await registry.devices.get(id('in'), scope)).toMatchObject({ id: 'in' });
  await expect(registry.devices.get(id('out'), scope)).rejects.toMatchObject({ code: 'device.not-found' });
  await expect(registry.devices.ensureKnown(id('out'), scope)).rejects.toMatchObject({ code: 'device.not-found' });
  await expect(registry.devices.update(id('out'), { name: 'x' }, actor, scope)).rejects.toMatchObject({
    code: 'device.not-found',
  });
  await expect(registry.devices.update(id('in'), { group: '/ab' }, actor, scope)).rejects.toMatchObject({
    code: 'access.denied',
  });
  expect(await registry.devices.remove(id('out'), actor, scope)).toBe(false);
  expect((await registry.devices.list({ scope, limit: 10 })).items.map((device) => device.id)).toEqual(['in']);
  expect(await registry.devices.count({ scope })).toBe(1);
  expect(await registry.devices.count({ scope, group: '/ab' })).toBe(0);
  expect(await registry.devices.count({ scope: { groups: [] } })).toBe(0);
});

test('that a device went from one group to another is told to those of both, what else changed only to those of its new one', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('a'), group: '/left', attributes: { x: 1 } }, actor);
  await registry.devices.update(id('a'), { group: '/right', attributes: { x: 2 } }, actor);
  const toldTo = async (group: string) => {
    const trail = await new AuditTrail(registry).list({
      objectKind: 'device',
      action: 'device.update',
      groups: [group],
      limit: 9,
    });
    return trail.map(({ before, after }) => ({ before, after }));
  };
  expect(await toldTo('/left')).toEqual([{ before: { group: '/left' }, after: { group: '/right' } }]);
  expect(await toldTo('/right')).toEqual([
    { before: { group: '/left', attributes: { x: 1 } }, after: { group: '/right', attributes: { x: 2 } } },
  ]);
  await registry.devices.update(id('a'), { group: '/right/below' }, actor);
  expect(await toldTo('/right')).toHaveLength(2);
});
