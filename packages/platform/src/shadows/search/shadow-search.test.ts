import { expect, test } from 'vitest';
import { postingsOf } from '../../registry/registry.fixture.ts';
import { ShadowTermStore } from '../../registry/shadow-term-store.ts';
import type { JsonObject } from '../shadow-document.ts';
import { withInherited } from '../shadow-merge.ts';
import type { SearchableField } from './declared-fields.ts';
import { actor, id, Platform, report } from './platform.fixture.ts';

test('devices are found by a field of their shadows that was declared, with each comparison and with everything else', async () => {
  await using platform = await Platform.open();
  const { devices } = platform.registry;
  for (const [i, each] of ['a', 'b', 'c', 'd'].entries()) await devices.create({ id: id(each), tags: i < 2 ? ['demo'] : [] });
  await expect(platform.found('shadow.reported.mode = "auto"')).rejects.toMatchObject({
    code: 'request.invalid',
    details: { field: 'filter', shadowField: 'shadow.reported.mode' },
  });
  for (const field of ['shadow.reported.mode', 'shadow.reported.temp', 'shadow.config.desired.fan.speed']) {
    await platform.following.declare(field, actor);
  }
  await report(platform, 'a', { mode: 'auto', temp: 20.5 });
  await report(platform, 'b', { mode: 'off', temp: -3, other: 1 });
  await report(platform, 'c', { mode: ['auto', 'eco'] });
  await platform.shadows.updateShadow({ device: 'd', shadow: 'config', actor, patch: { desired: { fan: { speed: 3 } } } });
  await platform.settled();
  expect(await platform.found('shadow.reported.mode = "auto"')).toEqual(['a', 'c']);
  expect(await platform.found('shadow.reported.mode != "auto"')).toEqual(['b', 'd']);
  expect(await platform.found('shadow.reported.mode in ("off", "eco")')).toEqual(['b', 'c']);
  expect(await platform.found('shadow.reported.mode like "a*"')).toEqual(['a', 'c']);
  // One of its values is less, another one more.
  expect(await platform.found('shadow.reported.mode < "b" and shadow.reported.mode > "b"')).toEqual(['c']);
  expect(await platform.found('shadow.reported.mode exists and not tags has "demo"')).toEqual(['c']);
  expect(await platform.found('shadow.reported.temp >= -3 and shadow.reported.temp < 20')).toEqual(['b']);
  expect(await platform.found('id = "a" and shadow.reported.temp > 20')).toEqual(['a']);
  expect(await platform.found('shadow.config.desired.fan.speed = 3')).toEqual(['d']);
  expect(await platform.registry.devices.count({ filter: 'shadow.reported.mode exists' })).toBe(3);
  await report(platform, 'a', { mode: null });
  await report(platform, 'b', { mode: 'auto' });
  await platform.settled();
  expect(await platform.found('shadow.reported.mode = "auto"')).toEqual(['b', 'c']);
});

test('what a group or a type wants is found as desired too', async () => {
  await using platform = await Platform.open();
  await platform.registry.devices.create({ id: id('a') });
  await platform.following.declare('shadow.desired.interval', actor);
  const change = async (inherited: JsonObject | undefined): Promise<void> => {
    await platform.domain.run({
      kind: 'change',
      device: 'a',
      shadow: '',
      author: 'system:test',
      rule: (document, { nowMs, nextVersion }) => ({
        kind: 'put',
        document: withInherited(document, inherited, { nowMs, version: nextVersion }),
        written: {},
      }),
    });
    await platform.settled();
  };
  await change({ interval: 60 });
  expect(await platform.found('shadow.desired.interval = 60')).toEqual(['a']);
  await platform.shadows.updateShadow({ device: 'a', shadow: '', actor, patch: { desired: { interval: 10 } } });
  await change({ interval: 90 });
  expect([await platform.found('shadow.desired.interval = 10'), await platform.found('shadow.desired.interval = 90')]).toEqual([
    ['a'],
    [],
  ]);
  await platform.shadows.updateShadow({ device: 'a', shadow: '', actor, patch: { desired: { interval: null } } });
  await platform.settled();
  expect(await platform.found('shadow.desired.interval = 90')).toEqual(['a']);
  await change(undefined);
  expect(await platform.found('shadow.desired.interval exists')).toEqual([]);
});

test('a field that is declared later finds the shadows of before, one that is dropped leaves nothing behind', async () => {
  await using platform = await Platform.open();
  const empty = await postingsOf(platform.registry.database);
  for (let i = 0; i < 30; i++) {
    await platform.registry.devices.create({ id: id(`d${i}`) });
    await report(platform, `d${i}`, { n: i });
  }
  await platform.shadows.deleteShadow({ device: 'd3', shadow: '', actor });
  const declared = await platform.following.declare('shadow.reported.n', actor);
  expect(declared).toMatchObject({ field: 'shadow.reported.n', isFilling: true });
  expect(await platform.following.declare('shadow.reported.n', actor)).toMatchObject({ id: declared.id });
  await platform.settled();
  expect(await platform.registry.devices.count({ filter: 'shadow.reported.n < 10' })).toBe(9);
  expect(await platform.following.list()).toMatchObject([{ field: 'shadow.reported.n', isFilling: false }]);
  expect(await platform.following.drop('shadow.reported.n', actor)).toBe(true);
  expect(await platform.following.drop('shadow.reported.n', actor)).toBe(false);
  await expect(platform.found('shadow.reported.n exists')).rejects.toMatchObject({ code: 'request.invalid' });
  await platform.settled();
  const { database } = platform.registry;
  for (const table of ['shadow_field', 'device_shadow_value', 'waiting_shadow_value'] as const) {
    expect(await database.selectFrom(table).selectAll().execute()).toEqual([]);
  }
  for (let i = 0; i < 30; i++) await platform.registry.devices.remove(id(`d${i}`), actor);
  expect(await postingsOf(database)).toEqual(empty);
  // Declared again it is as new.
  await platform.following.declare('shadow.reported.n', actor);
  await platform.settled();
  expect(await platform.found('shadow.reported.n exists')).toEqual([]);
});

test('a device that is removed leaves nothing behind', async () => {
  await using platform = await Platform.open();
  await platform.following.declare('shadow.reported.mode', actor);
  const empty = await postingsOf(platform.registry.database);
  for (const each of ['a', 'b']) {
    await platform.registry.devices.create({ id: id(each) });
    await report(platform, each, { mode: ['auto', each] });
  }
  await platform.settled();
  for (const each of ['a', 'b']) await platform.removeDevice(each);
  expect(await postingsOf(platform.registry.database)).toEqual(empty);
  expect(await platform.registry.database.selectFrom('device_shadow_value').selectAll().execute()).toEqual([]);
  await platform.purge();
  await platform.settled();
  expect(await postingsOf(platform.registry.database)).toEqual(empty);
});

test('a bounded number of fields is searchable, and only what is one', async () => {
  await using platform = await Platform.open();
  for (const field of [
    'reported.mode',
    'shadow.reported',
    'shadow.mode',
    'shadow.a b.reported.x',
    'shadow.reported.a.',
    `shadow.reported.${'x'.repeat(300)}`,
  ]) {
    await expect(platform.following.declare(field, actor)).rejects.toMatchObject({ code: 'request.invalid' });
  }
  for (let i = 0; i < 32; i++) await platform.following.declare(`shadow.reported.f${i}`, actor);
  await expect(platform.following.declare('shadow.reported.more', actor)).rejects.toMatchObject({ code: 'request.invalid' });
});

test('a change that leaves the field as it is, or of a shadow without fields, is not told', async () => {
  await using platform = await Platform.open();
  await platform.registry.devices.create({ id: id('a') });
  await platform.following.declare('shadow.reported.mode', actor);
  await report(platform, 'a', { mode: 'auto' });
  await platform.settled();
  const told = async () => (await platform.state.selectFrom('shadow_field_value').selectAll().execute()).length;
  await report(platform, 'a', { mode: 'auto', n: 1 });
  await report(platform, 'a', { mode: 'off' }, 'other');
  await platform.shadows.updateShadow({ device: 'a', shadow: '', actor, patch: { desired: { mode: 'off' } } });
  expect(await told()).toBe(0);
  for (const mode of ['off', 'on', 'off']) await report(platform, 'a', { mode });
  expect(await told()).toBe(1);
});

test('a change that fails is not told', async () => {
  await using platform = await Platform.open();
  await platform.registry.devices.create({ id: id('a') });
  await platform.following.declare('shadow.reported.mode', actor);
  platform.failing = true;
  await expect(report(platform, 'a', { mode: 'auto' })).rejects.toThrow('a full disk');
  platform.failing = false;
  const expectedVersion = 9;
  await expect(
    platform.shadows.updateShadow({ device: 'a', shadow: '', actor, patch: {}, expectedVersion }),
  ).rejects.toMatchObject({ code: 'shadow.conflict' });
  await platform.settled();
  expect(await platform.found('shadow.reported.mode exists')).toEqual([]);
});

test('what is said of a device before it is registered is found once it is', async () => {
  await using platform = await Platform.open();
  await platform.following.declare('shadow.reported.mode', actor);
  await report(platform, 'early', { mode: 'auto' });
  await report(platform, 'never', { mode: 'auto' });
  await platform.settled();
  await report(platform, 'early', { mode: 'off' });
  await platform.settled();
  await platform.registry.devices.create({ id: id('early') });
  await platform.settled();
  expect([await platform.found('shadow.reported.mode = "off"'), await platform.found('shadow.reported.mode = "auto"')]).toEqual([
    ['early'],
    [],
  ]);
  platform.registry.clock.advance(3_600_001);
  await platform.settled();
  expect(await platform.registry.database.selectFrom('waiting_shadow_value').selectAll().execute()).toEqual([]);
});

test.each(['registry', 'state'] as const)('where the %s was set back to a backup, all is put together anew', async (which) => {
  await using platform = await Platform.open();
  await platform.registry.devices.create({ id: id('a') });
  await platform.following.declare('shadow.reported.mode', actor);
  await report(platform, 'a', { mode: 'auto' });
  await platform.settled();
  await report(platform, 'a', { mode: 'off' });
  await platform.settled();
  if (which === 'registry') {
    // The last change had not been followed yet, and the state does not have it any more.
    const [{ id: stateId }] = (await platform.following.list()) as readonly [SearchableField];
    const terms = new ShadowTermStore(platform.registry.database);
    await terms.apply([{ device: 'a', stateId, value: '[0,"auto"]' }], 1, 1);
  } else {
    await platform.state.updateTable('state_position').set({ position: 0 }).where('stream', '=', 'shadow-values').execute();
    await platform.state
      .updateTable('shadow')
      .set({ state: '{"reported":{"mode":"eco"}}', details: '{"reported":{"mode":[1,1]}}' })
      .execute();
  }
  await platform.restart();
  await platform.settled();
  const expected = which === 'registry' ? 'off' : 'eco';
  expect(await platform.found(`shadow.reported.mode = "${expected}"`)).toEqual(['a']);
  expect(await platform.found('shadow.reported.mode = "auto"')).toEqual([]);
});
