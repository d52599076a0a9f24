import { describe, expect, test } from 'vitest';
import { openTestFleet, type TestFleet } from './fleet.fixture.ts';
import { progressOf } from './shadow-update.ts';

const names = (count: number, prefix = 'd') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

async function withDevices(count: number): Promise<TestFleet> {
  const fleet = await openTestFleet();
  await fleet.put(...names(count).map((id, i) => ({ id, group: i % 2 === 0 ? '/acme/even' : '/acme/odd' })));
  return fleet;
}

describe('an update of many shadows', () => {
  test('sets desired for a group and all below it, once for each device, and says how far it is', async () => {
    await using fleet = await withDevices(40);
    const { by } = fleet;
    const started = await fleet.calls.startShadowUpdate({ draft: { target: 'group:/acme/even', desired: { a: 1 } }, ...by });
    expect(started).toMatchObject({ state: 'running', total: 20, done: 0, startedBy: { kind: 'user', id: 'ada', name: 'Ada' } });
    await fleet.finish();
    const done = await fleet.updateOf(started.id);
    expect(done).toMatchObject({ state: 'done', total: 20, done: 20, unchanged: 0, failed: 0 });
    expect(progressOf(done)).toMatchObject({ left: 0, etaMs: undefined });
    expect((await fleet.shadow('d0'))?.desired).toEqual({ a: 1 });
    expect((await fleet.shadow('d0'))?.version).toBe(1);
    expect(await fleet.shadow('d1')).toBeUndefined();
    const deltas = fleet.take('/update/delta');
    expect(deltas.map(({ device }) => device)).toEqual(names(40).filter((_, i) => i % 2 === 0));
  });

  test('takes fleets, types, filters, and devices by name', async () => {
    await using fleet = await openTestFleet();
    const { by, calls } = fleet;
    await fleet.types.create({ name: 'boiler' }, by.actor);
    await fleet.put({ id: 'a', type: 'boiler' }, { id: 'b', attributes: { site: 'kiel' } }, { id: 'c', tags: ['demo'] });
    await fleet.fleets.create({ id: 'kiel', filter: 'attributes.site = "kiel"' }, by.actor);
    for (const [target, shadow] of [
      ['type:boiler', 's1'],
      ['fleet:kiel', 's2'],
      ['filter:tags has "demo"', 's3'],
      [['a', 'c', 'a'], 's4'],
    ] as const) {
      await calls.startShadowUpdate({ draft: { target, shadow, desired: { x: 1 } }, ...by });
    }
    await fleet.finish();
    const has = async (device: string) => {
      const found = await Promise.all(['s1', 's2', 's3', 's4'].map(async (shadow) => await fleet.shadow(device, shadow)));
      return found.map((document) => document?.desired?.['x'] === 1);
    };
    expect(await has('a')).toEqual([true, false, false, true]);
    expect(await has('b')).toEqual([false, true, false, false]);
    expect(await has('c')).toEqual([false, false, true, true]);
  });

  test.each([
    ['group:/nowhere', 'group.not-found'],
    ['fleet:none', 'fleet.not-found'],
    ['type:none', 'device-type.not-found'],
    ['filter:nonsense ?', 'request.invalid'],
    ['everything', 'request.invalid'],
    [[], 'request.invalid'],
    [['a b'], 'request.invalid'],
  ])('refuses the target %j', async (target, code) => {
    await using fleet = await openTestFleet();
    await expect(fleet.calls.startShadowUpdate({ draft: { target, desired: {} }, ...fleet.by })).rejects.toMatchObject({ code });
    expect((await fleet.updates.list({ limit: 10 })).items).toEqual([]);
  });

  test('keeps to its rate', async () => {
    await using fleet = await withDevices(40);
    const { id } = await fleet.calls.startShadowUpdate({
      draft: { target: 'group:/', desired: { a: 1 }, ratePerSec: 10 },
      ...fleet.by,
    });
    await fleet.pass(2_000);
    const half = await fleet.updateOf(id);
    expect(half.done).toBeGreaterThanOrEqual(19);
    expect(half.done).toBeLessThanOrEqual(21);
    expect(progressOf(half).etaMs).toBeGreaterThan(1_500);
    await fleet.pass(2_500);
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', done: 40 });
  });

  test('leaves those alone that have it already: no version, no message', async () => {
    await using fleet = await withDevices(3);
    await fleet.update('d1', { desired: { a: 1, b: { c: 2, d: 3 } } });
    fleet.take('');
    const { id } = await fleet.calls.startShadowUpdate({
      draft: { target: 'group:/', desired: { a: 1, b: { c: 2 }, gone: null } },
      ...fleet.by,
    });
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ done: 2, unchanged: 1 });
    expect((await fleet.shadow('d1'))?.version).toBe(1);
    expect(fleet.take('').some(({ device }) => device === 'd1')).toBe(false);
  });

  test('lists the devices that it could not be applied to, with the reason', async () => {
    await using fleet = await withDevices(6);
    await fleet.update('d2', { desired: { z: 1 } });
    await fleet.update('d4', { desired: { z: 1 } });
    const draft = { target: ['d0', 'd2', 'd4', 'nobody'], desired: { a: 1 }, expectedVersion: 1 };
    await fleet.update('d4', { desired: { z: 2 } });
    const { id } = await fleet.calls.startShadowUpdate({ draft, ...fleet.by });
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', total: 4, done: 1, failed: 3 });
    const first = await fleet.updates.failures({ id, limit: 2 });
    expect(first.items.map(({ device, code }) => [device, code])).toEqual([
      ['nobody', 'device.not-found'],
      ['d0', 'shadow.conflict'],
    ]);
    const second = await fleet.updates.failures({ id, limit: 2, cursor: first.cursor });
    expect(second).toEqual({ items: [{ device: 'd4', code: 'shadow.conflict', reason: expect.any(String) }] });
  });

  test('is for those who were members when it was made', async () => {
    await using fleet = await withDevices(4);
    const { id } = await fleet.calls.startShadowUpdate({ draft: { target: 'group:/acme/even', desired: { a: 1 } }, ...fleet.by });
    await fleet.put({ id: 'd2', group: '/acme/odd' }, { id: 'late', group: '/acme/even' });
    await fleet.devices.remove('d0' as never);
    await fleet.follow();
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', total: 2, done: 1, unchanged: 1 });
    expect((await fleet.shadow('d2'))?.desired).toEqual({ a: 1 });
    expect(await fleet.shadow('late')).toBeUndefined();
  });

  test('does no more after it was cancelled', async () => {
    await using fleet = await withDevices(40);
    const { calls, by } = fleet;
    const { id } = await calls.startShadowUpdate({ draft: { target: 'group:/', desired: { a: 1 }, ratePerSec: 10 }, ...by });
    await fleet.pass(1_000);
    const cancelled = await calls.cancelShadowUpdate({ id, ...by });
    expect(cancelled.state).toBe('cancelled');
    const { done } = await fleet.updateOf(id);
    expect(done).toBeGreaterThan(0);
    await fleet.pass(5_000);
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'cancelled', done, total: 40 });
    expect(await calls.cancelShadowUpdate({ id, ...by })).toMatchObject({ state: 'cancelled' });
    const other = await calls.startShadowUpdate({ draft: { target: ['d0'], desired: { b: 1 } }, ...by });
    await fleet.finish();
    await expect(calls.cancelShadowUpdate({ id: other.id, ...by })).rejects.toMatchObject({
      code: 'shadow-update.not-cancellable',
    });
  });

  test('goes on where it was after a restart, and changes no device twice', async () => {
    await using fleet = await withDevices(100);
    const { id } = await fleet.calls.startShadowUpdate({
      draft: { target: 'group:/', desired: { a: 1 }, ratePerSec: 100 },
      ...fleet.by,
    });
    for (let i = 0; i < 5; i++) {
      await fleet.pass(100);
      await fleet.restart();
    }
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', done: 100, unchanged: 0 });
    for (const device of names(100)) expect((await fleet.shadow(device))?.version).toBe(1);
  });

  test('is undone as a whole, step by step, where the disk fails', async () => {
    await using fleet = await withDevices(30);
    const { id } = await fleet.calls.startShadowUpdate({
      draft: { target: 'group:/', desired: { a: 1 }, ratePerSec: 100 },
      ...fleet.by,
    });
    const { domain } = fleet;
    const apply = domain.apply.bind(domain);
    let turns = 0;
    domain.apply = async (works, batch) => {
      const results = await apply(works, batch);
      if (works[0]?.kind === 'step' && turns++ % 3 === 1) throw new Error('the disk is not there');
      return results;
    };
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', done: 30, unchanged: 0, failed: 0 });
    for (const device of names(30)) expect((await fleet.shadow(device))?.version).toBe(1);
  });

  test('goes past a device for which the change always fails', async () => {
    await using fleet = await withDevices(10);
    const { shadows } = fleet;
    const apply = shadows.apply.bind(shadows);
    shadows.apply = async (works, batch) => {
      if (works.some((work) => work.kind === 'change' && work.device === 'd4')) throw new Error('poison');
      return await apply(works, batch);
    };
    const { id } = await fleet.calls.startShadowUpdate({ draft: { target: 'group:/', desired: { a: 1 } }, ...fleet.by });
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', done: 9, failed: 1 });
    expect((await fleet.updates.failures({ id, limit: 10 })).items).toMatchObject([{ device: 'd4', code: 'internal' }]);
  });

  test('changes and shows only what is in the scope of who made it', async () => {
    await using fleet = await withDevices(4);
    const even = { actor: fleet.by.actor, scope: { groups: ['/acme/even'] } };
    const odd = { actor: fleet.by.actor, scope: { groups: ['/acme/odd'] } };
    await expect(fleet.calls.startShadowUpdate({ draft: { target: 'group:/acme', desired: {} }, ...even })).rejects.toMatchObject(
      {
        code: 'group.not-found',
      },
    );
    const { id } = await fleet.calls.startShadowUpdate({ draft: { target: ['d0', 'd1', 'd2'], desired: { a: 1 } }, ...even });
    await fleet.put({ id: 'd2', group: '/acme/odd' });
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ total: 3, done: 1, failed: 2 });
    expect((await fleet.updates.failures({ id, limit: 5 })).items.map(({ device, code }) => [device, code])).toEqual([
      ['d1', 'device.not-found'],
      ['d2', 'device.not-found'],
    ]);
    expect((await fleet.updates.list({ scope: even.scope, limit: 5 })).items).toHaveLength(1);
    expect((await fleet.updates.list({ scope: odd.scope, limit: 5 })).items).toHaveLength(0);
    await expect(fleet.updates.get(id, odd.scope)).rejects.toMatchObject({ code: 'shadow-update.not-found' });
    await expect(fleet.calls.cancelShadowUpdate({ id, ...odd })).rejects.toMatchObject({ code: 'shadow-update.not-found' });
    await fleet.groups.move('/acme/even', '/acme/right', fleet.by.actor);
    await fleet.follow();
    expect((await fleet.updates.get(id, { groups: ['/acme/right'] })).id).toBe(id);
  });

  test('holds as much as shadows may, and no more', async () => {
    await using fleet = await openTestFleet({ limits: { maxDocumentBytes: 20_000, maxLevels: 2 } });
    await fleet.put({ id: 'd1', group: '/acme' });
    const desired = { text: 'x'.repeat(10_000) };
    await fleet.calls.startShadowUpdate({ draft: { target: ['d1'], desired }, ...fleet.by });
    await fleet.finish();
    expect((await fleet.shadow('d1'))?.desired).toEqual(desired);
    const deep = { a: { b: { c: 1 } } };
    const target = 'group:/acme';
    const refusal = { code: 'request.invalid', message: expect.stringContaining('maximum is 2') };
    await expect(fleet.calls.startShadowUpdate({ draft: { target, desired: deep }, ...fleet.by })).rejects.toMatchObject(refusal);
    await expect(fleet.calls.putShadowDefault({ target, shadow: '', desired: deep, ...fleet.by })).rejects.toMatchObject(refusal);
  });

  test('that is slow keeps no default waiting', async () => {
    await using fleet = await withDevices(40);
    for (let i = 0; i < 4; i++) {
      const draft = { target: 'group:/acme', desired: { [`k${i}`]: 1 }, ratePerSec: 1 };
      await fleet.calls.startShadowUpdate({ draft, ...fleet.by });
    }
    await fleet.pass(50);
    const { update } = await fleet.calls.putShadowDefault({ target: 'group:/acme', shadow: '', desired: { x: 1 }, ...fleet.by });
    await fleet.pass(1_000);
    expect((await fleet.updateOf(update?.id)).state).toBe('done');
  });

  test('is listed for who sees it, however many others there are', async () => {
    await using fleet = await withDevices(4);
    const even = { actor: fleet.by.actor, scope: { groups: ['/acme/even'] } };
    const mine: string[] = [];
    for (const desired of [{ a: 1 }, { a: 2 }]) {
      mine.push((await fleet.calls.startShadowUpdate({ draft: { target: 'group:/acme/even', desired }, ...even })).id);
      await fleet.finish();
    }
    const row = await fleet.database.selectFrom('shadow_update').selectAll().executeTakeFirstOrThrow();
    for (let start = 0; start < 3_000; start += 500) {
      const others = Array.from({ length: 500 }, (_, i) => ({ ...row, id: `Z${start + i + 10_000}`, seen_in: '["/other"]' }));
      await fleet.database.insertInto('shadow_update').values(others).execute();
    }
    const page = await fleet.updates.list({ scope: even.scope, limit: 1 });
    const { cursor } = page;
    const rest = await fleet.updates.list({ scope: even.scope, limit: 1, cursor });
    expect([...page.items, ...rest.items].map(({ id }) => id)).toEqual(mine.toSorted().reverse());
    expect(rest.cursor).toBeUndefined();
    expect((await fleet.updates.list({ limit: 5 })).items.map(({ id }) => id)[0]).toBe('Z12999');
  });

  test('is forgotten 30 days after its end, with its failures', async () => {
    await using fleet = await withDevices(1);
    const { id } = await fleet.calls.startShadowUpdate({ draft: { target: ['nobody'], desired: {} }, ...fleet.by });
    await fleet.pass(100);
    fleet.clock.advance(31 * 24 * 3_600_000);
    await fleet.pass(61_000);
    await expect(fleet.updateOf(id)).rejects.toMatchObject({ code: 'shadow-update.not-found' });
    expect(await fleet.database.selectFrom('shadow_update_failure').selectAll().execute()).toEqual([]);
  });

  test('is in the audit trail once, not once for each device', async () => {
    await using fleet = await withDevices(3);
    await fleet.calls.startShadowUpdate({ draft: { target: 'group:/acme', desired: { a: 1 } }, ...fleet.by });
    await fleet.finish();
    const rows = await fleet.database.selectFrom('state_audit').selectAll().execute();
    expect(rows.map(({ change }) => JSON.parse(change))).toMatchObject([
      { action: 'shadow-update.create', group: '/acme', actor: { id: 'ada' }, after: { total: 3 } },
    ]);
  });

  test('is cancelled in the audit trail of the group in which it was made', async () => {
    await using fleet = await withDevices(3);
    const draft = { target: 'group:/acme', desired: { a: 1 }, ratePerSec: 1 };
    const { id } = await fleet.calls.startShadowUpdate({ draft, ...fleet.by });
    await fleet.calls.cancelShadowUpdate({ id, ...fleet.by });
    const rows = await fleet.database.selectFrom('state_audit').selectAll().execute();
    expect(rows.map(({ change }) => JSON.parse(change))).toMatchObject([
      { action: 'shadow-update.create', group: '/acme' },
      { action: 'shadow-update.cancel', group: '/acme' },
    ]);
  });
});
