import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVERYTHING } from '../../registry/scope.ts';
import { openTestFleet, OPERATOR, type TestFleet } from '../bulk/fleet.fixture.ts';
import type { JsonObject } from '../shadow-document.ts';
import { effectiveDesired } from '../shadow-view.ts';
import { targetText } from './shadow-default.ts';

async function putDefault(fleet: TestFleet, target: string, desired: JsonObject, shadow = '') {
  return await fleet.calls.putShadowDefault({ target, shadow, desired, ...fleet.by });
}

async function desiredOf(fleet: TestFleet, device: string, shadow = ''): Promise<JsonObject | undefined> {
  const document = await fleet.shadow(device, shadow);
  return document === undefined ? undefined : effectiveDesired(document);
}

describe('a default of a shadow', () => {
  test('reaches all devices below the group, those that have no shadow too, and tells them what they lack', async () => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'a', group: '/acme' }, { id: 'b', group: '/acme/b42/floor' }, { id: 'c', group: '/other' });
    await fleet.update('a', { reported: { mode: 'eco', fan: 2 } });
    fleet.take('');
    const { update } = await putDefault(fleet, 'group:/acme', { mode: 'eco', fan: 1 });
    expect(update).toMatchObject({ kind: 'defaults', target: 'group:/acme', total: 2 });
    await fleet.finish();
    expect(await fleet.updateOf(update?.id)).toMatchObject({ state: 'done', done: 2, failed: 0 });
    expect(await desiredOf(fleet, 'a')).toEqual({ mode: 'eco', fan: 1 });
    expect(await desiredOf(fleet, 'b')).toEqual({ mode: 'eco', fan: 1 });
    expect(await desiredOf(fleet, 'c')).toBeUndefined();
    expect(fleet.take('/update/delta').map(({ device, body }) => [device, body['state']])).toEqual([
      ['a', { fan: 1 }],
      ['b', { mode: 'eco', fan: 1 }],
    ]);
  });

  test('lies under what is nearer: type, groups from the root on, the device itself', async () => {
    await using fleet = await openTestFleet();
    await fleet.types.create({ name: 'boiler' }, OPERATOR);
    await fleet.put({ id: 'a', type: 'boiler', group: '/acme/b42' });
    await fleet.update('a', { desired: { own: 'device' } }, 'config');
    await putDefault(fleet, 'type:boiler', { by: 'type', type: 1, net: { a: 1, b: 1 } }, 'config');
    await putDefault(fleet, 'group:/', { by: 'root', root: 1, net: { b: 2, c: 2 } }, 'config');
    await putDefault(fleet, 'group:/acme/b42', { by: 'b42', own: 'b42', type: null }, 'config');
    await fleet.finish();
    expect(await desiredOf(fleet, 'a', 'config')).toEqual({ by: 'b42', root: 1, net: { a: 1, b: 2, c: 2 }, own: 'device' });
    expect(await desiredOf(fleet, 'a')).toBeUndefined();
    await fleet.update('a', { desired: { own: null, by: 'device' } }, 'config');
    expect(await desiredOf(fleet, 'a', 'config')).toEqual({ by: 'device', root: 1, net: { a: 1, b: 2, c: 2 }, own: 'b42' });
    await fleet.calls.removeShadowDefault({ target: 'group:/acme/b42', shadow: 'config', ...fleet.by });
    await fleet.finish();
    expect(await desiredOf(fleet, 'a', 'config')).toEqual({ by: 'device', type: 1, root: 1, net: { a: 1, b: 2, c: 2 } });
  });

  test('is there from the first moment of a new device, and changes with its group and its type', async () => {
    await using fleet = await openTestFleet();
    await fleet.types.create({ name: 'boiler' }, OPERATOR);
    await fleet.put({ id: 'x', group: '/a' }, { id: 'y', group: '/b' });
    await putDefault(fleet, 'group:/a', { from: 'a', only: 'a' });
    await putDefault(fleet, 'group:/b', { from: 'b' });
    await putDefault(fleet, 'type:boiler', { kind: 'boiler' });
    await fleet.finish();
    await fleet.put({ id: 'new', group: '/a/deep', type: 'boiler' });
    expect(await desiredOf(fleet, 'new')).toEqual({ from: 'a', only: 'a', kind: 'boiler' });
    await fleet.put({ id: 'new', group: '/b' });
    expect(await desiredOf(fleet, 'new')).toEqual({ from: 'b', kind: 'boiler' });
    await fleet.devices.update('new' as never, { type: null });
    await fleet.follow();
    expect(await desiredOf(fleet, 'new')).toEqual({ from: 'b' });
    const { version } = (await fleet.shadow('new')) ?? {};
    await fleet.put({ id: 'new', attributes: { site: 'kiel' } });
    expect((await fleet.shadow('new'))?.version).toBe(version);
  });

  test('goes with its group, and ends with it', async () => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'x', group: '/a/b' }, { id: 'y', group: '/c' }, { id: 'z', group: '/a' });
    await putDefault(fleet, 'group:/a', { a: 1 });
    await putDefault(fleet, 'group:/a/b', { b: 1 });
    await putDefault(fleet, 'group:/c', { c: 1 });
    await fleet.finish();
    expect(await desiredOf(fleet, 'x')).toEqual({ a: 1, b: 1 });
    await fleet.groups.move('/a/b', '/c/b', OPERATOR);
    await fleet.follow();
    await fleet.finish();
    expect(await desiredOf(fleet, 'x')).toEqual({ c: 1, b: 1 });
    expect((await fleet.defaults.list()).map(({ target }) => target)).toContainEqual({ kind: 'group', path: '/c/b' });
    await fleet.groups.remove('/c/b', OPERATOR, { force: true });
    await fleet.follow();
    await fleet.finish();
    expect(await desiredOf(fleet, 'x')).toEqual({ c: 1 });
    expect(await desiredOf(fleet, 'y')).toEqual({ c: 1 });
    // A group that is made anew under the old path is another one.
    await fleet.put({ id: 'w', group: '/c/b' });
    expect(await desiredOf(fleet, 'w')).toEqual({ c: 1 });
    expect(await fleet.defaults.list()).toHaveLength(2);
  });

  test('of a type ends with it: another type of the same name has none', async () => {
    await using fleet = await openTestFleet();
    await fleet.types.create({ name: 'boiler' }, OPERATOR);
    await putDefault(fleet, 'type:boiler', { a: 1 });
    await fleet.put({ id: 'y' });
    await fleet.types.remove('boiler', OPERATOR);
    expect(await fleet.defaults.list()).toEqual([]);
    fleet.clock.advance(10);
    await fleet.types.create({ name: 'boiler' }, OPERATOR);
    await fleet.put({ id: 'x', type: 'boiler' });
    expect(await fleet.shadow('x')).toBeUndefined();
    await fleet.calls.putShadowDefault({ target: 'type:boiler', shadow: '', desired: { b: 1 }, expectedVersion: 0, ...fleet.by });
    await fleet.finish();
    expect(await desiredOf(fleet, 'x')).toEqual({ b: 1 });
  });

  test('is heeded where a shadow is made before the update has come to its device', async () => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'x', group: '/a' });
    await putDefault(fleet, 'group:/a', { a: 1 });
    await fleet.update('x', { reported: { r: 1 } });
    expect(await desiredOf(fleet, 'x')).toEqual({ a: 1 });
    expect((await fleet.shadow('x'))?.version).toBe(1);
    await fleet.finish();
    expect((await fleet.shadow('x'))?.version).toBe(1);
  });

  test('does not make a shadow again that somebody deleted; the next update of it does', async () => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'x', group: '/a' });
    await putDefault(fleet, 'group:/a', { a: 1 });
    await fleet.finish();
    await fleet.shadows.run({ kind: 'change', device: 'x', shadow: '', rule: () => ({ kind: 'deleted' }), author: 'user:ada' });
    await putDefault(fleet, 'group:/a', { a: 2 });
    await fleet.finish();
    await fleet.put({ id: 'x', attributes: { b: 1 } });
    expect(await fleet.shadow('x')).toBeUndefined();
    await fleet.update('x', { reported: { r: 1 } });
    expect(await desiredOf(fleet, 'x')).toEqual({ a: 2 });
  });

  test('that is changed while it is on its way is brought by one update, the newest', async () => {
    await using fleet = await openTestFleet();
    await fleet.put(...Array.from({ length: 300 }, (_, i) => ({ id: `d${i}`, group: '/a' })));
    const first = await putDefault(fleet, 'group:/a', { a: 1 });
    await fleet.pass(100);
    const second = await putDefault(fleet, 'group:/a', { a: 2 });
    await expect(fleet.calls.cancelShadowUpdate({ id: second.update?.id ?? '', ...fleet.by })).rejects.toMatchObject({
      code: 'shadow-update.not-cancellable',
    });
    await fleet.finish();
    expect(await fleet.updateOf(first.update?.id)).toMatchObject({ state: 'cancelled' });
    expect(await fleet.updateOf(second.update?.id)).toMatchObject({ state: 'done', done: 300 });
    for (let i = 0; i < 300; i++) expect(await desiredOf(fleet, `d${i}`)).toEqual({ a: 2 });
    expect(await putDefault(fleet, 'group:/a', { a: 2 })).toMatchObject({ update: undefined, default: { version: 2 } });
  });

  test('is changed only from the version that somebody expects', async () => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'x', group: '/a' });
    const call = { target: 'group:/a', shadow: '', desired: { a: 1 }, ...fleet.by };
    await fleet.calls.putShadowDefault({ ...call, expectedVersion: 0 });
    await expect(fleet.calls.putShadowDefault({ ...call, desired: { a: 2 }, expectedVersion: 0 })).rejects.toMatchObject({
      code: 'shadow-default.conflict',
      details: { version: 1 },
    });
    await fleet.calls.putShadowDefault({ ...call, desired: { a: 2 }, expectedVersion: 1 });
    await expect(fleet.calls.removeShadowDefault({ ...call, expectedVersion: 1 })).rejects.toMatchObject({
      code: 'shadow-default.conflict',
    });
    await fleet.calls.removeShadowDefault({ ...call, expectedVersion: 2 });
    await expect(fleet.calls.removeShadowDefault({ ...call, expectedVersion: undefined })).rejects.toMatchObject({
      code: 'shadow-default.not-found',
    });
  });

  test('is for those who may change all that it reaches', async () => {
    await using fleet = await openTestFleet();
    await fleet.types.create({ name: 'boiler' }, OPERATOR);
    await fleet.put({ id: 'x', group: '/a' }, { id: 'y', group: '/b' });
    fleet.by.scope = { groups: ['/a'] };
    await expect(putDefault(fleet, 'group:/b', {})).rejects.toMatchObject({ code: 'group.not-found' });
    await expect(putDefault(fleet, 'group:/', {})).rejects.toMatchObject({ code: 'group.not-found' });
    await expect(putDefault(fleet, 'type:boiler', {})).rejects.toMatchObject({ code: 'access.denied' });
    await putDefault(fleet, 'group:/a', { a: 1 });
  });

  test.each([
    ['user:/a', {}],
    ['group:a', {}],
    ['group:/a', { a: [null] }],
    ['group:/a', { a: 'x'.repeat(9000) }],
  ])('is not made of %s %j', async (target, desired) => {
    await using fleet = await openTestFleet();
    await fleet.put({ id: 'x', group: '/a' });
    await expect(putDefault(fleet, target, desired)).rejects.toMatchObject({ code: 'request.invalid' });
    await expect(putDefault(fleet, 'group:/none', {})).rejects.toMatchObject({ code: 'group.not-found' });
    await expect(putDefault(fleet, 'type:none', {})).rejects.toMatchObject({ code: 'device-type.not-found' });
  });
});

/** What is done to a small tree of groups, two types, three devices. */
type Step =
  | { readonly do: 'default'; readonly target: string; readonly key: string; readonly value: number | null | undefined }
  | { readonly do: 'place'; readonly device: string; readonly group: string; readonly type: string }
  | { readonly do: 'own'; readonly device: string; readonly key: string; readonly value: number | null }
  | { readonly do: 'pass' }
  | { readonly do: 'restart' };

const GROUPS = ['/', '/a', '/a/b', '/c'] as const;
const key = fc.constantFrom('k', 'l');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('default' as const),
    target: fc.constantFrom(...GROUPS.map((path) => `group:${path}`), 'type:t', 'type:u'),
    key,
    value: fc.constantFrom(1, 2, 3, null, undefined),
  }),
  fc.record({
    do: fc.constant('place' as const),
    device: fc.constantFrom('x', 'y', 'z'),
    group: fc.constantFrom(...GROUPS),
    type: fc.constantFrom('t', 'u'),
  }),
  fc.record({ do: fc.constant('own' as const), device: fc.constantFrom('x', 'y'), key, value: fc.constantFrom(7, 8, null) }),
  fc.constant<Step>({ do: 'pass' }),
  fc.constant<Step>({ do: 'restart' }),
);

test('whatever is done in whatever order, each device ends with what it inherits under what is its own', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using fleet = await openTestFleet();
      const defaults = new Map<string, Record<string, number | null>>();
      const places = new Map<string, { group: string; type: string }>();
      const own = new Map<string, Record<string, number>>();
      for (const name of ['t', 'u']) await fleet.types.create({ name }, OPERATOR);
      for (const path of ['/a/b', '/c']) await fleet.groups.create(path, OPERATOR);
      for (const each of steps) {
        switch (each.do) {
          case 'default': {
            const before = defaults.get(each.target);
            if (each.value === undefined) {
              if (before !== undefined) await fleet.calls.removeShadowDefault({ target: each.target, shadow: '', ...fleet.by });
              defaults.delete(each.target);
            } else {
              const desired = { ...before, [each.key]: each.value };
              await putDefault(fleet, each.target, desired);
              defaults.set(each.target, desired);
            }
            break;
          }
          case 'place':
            await fleet.put({ id: each.device, group: each.group, type: each.type });
            places.set(each.device, each);
            break;
          case 'own': {
            const result = await fleet.update(each.device, { desired: { [each.key]: each.value } });
            expect(result.kind).toBe(places.has(each.device) ? 'put' : 'refused');
            if (result.kind !== 'put') break;
            const mine = { ...own.get(each.device) };
            if (each.value === null) delete mine[each.key];
            else mine[each.key] = each.value;
            own.set(each.device, mine);
            break;
          }
          case 'pass':
            await fleet.pass(50);
            break;
          case 'restart':
            await fleet.restart();
        }
      }
      await fleet.finish();
      for (const [device, { group, type }] of places) {
        const expected: Record<string, number> = {};
        const above = GROUPS.filter((path) => path === '/' || group === path || group.startsWith(`${path}/`));
        for (const target of [`type:${type}`, ...above.map((path) => `group:${path}`)]) {
          for (const [name, value] of Object.entries(defaults.get(target) ?? {})) {
            if (value === null) delete expected[name];
            else expected[name] = value;
          }
        }
        Object.assign(expected, own.get(device));
        expect((await desiredOf(fleet, device)) ?? {}).toEqual(expected);
      }
    }),
    { numRuns: 25 },
  );
});

test('defaults are listed page by page, and only those of the page are read', async () => {
  await using fleet = await openTestFleet();
  await fleet.types.create({ name: 'boiler' }, fleet.by.actor);
  for (const path of ['/a', '/b', '/c']) await fleet.groups.create(path, fleet.by.actor);
  const targets = ['type:boiler', 'group:/a', 'group:/b', 'group:/c'];
  for (const target of targets.toReversed())
    for (const shadow of ['', 'x']) await fleet.calls.putShadowDefault({ target, shadow, desired: { target }, ...fleet.by });
  const wanted = targets.flatMap((target) => [`${target} `, `${target} x`]);
  const found: string[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const page = await fleet.calls.listShadowDefaults({ scope: EVERYTHING, limit: 3, cursor });
    for (const { target, shadow, desired } of page.items) {
      expect(desired).toEqual({ target: targetText(target) });
      found.push(`${targetText(target)} ${shadow}`);
    }
    ({ cursor } = page);
    more = cursor !== undefined;
  }
  expect(found).toEqual(wanted);
  const ofGroup = await fleet.calls.listShadowDefaults({ scope: { groups: ['/b'] }, limit: 10 });
  expect(ofGroup.items.map(({ target }) => targetText(target))).toEqual(['type:boiler', 'type:boiler', 'group:/b', 'group:/b']);
  // As long as all of them: nobody would wait for that.
  await fleet.database.updateTable('shadow_default').set({ desired: 'not read' }).where('kind', '=', 'group').execute();
  expect((await fleet.calls.listShadowDefaults({ scope: EVERYTHING, limit: 1 })).items).toHaveLength(1);
  expect((await fleet.calls.listShadowDefaults({ scope: EVERYTHING, target: 'type:boiler', limit: 10 })).items).toHaveLength(2);
});
