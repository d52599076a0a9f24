import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import { StoreQueries } from '../telemetry/query-store.ts';
import type { UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';
import type { ArchiveExpiry, ExpirableObject } from './archive-gate.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';

let retention: RetentionHarness;
beforeEach(async () => {
  retention = await RetentionHarness.open();
});
afterEach(async () => await retention[Symbol.asyncDispose]());

describe('what is too old', () => {
  test('goes as whole files, raw after 7 days and hours after 90, and gives back what the plan said', async () => {
    const { today } = retention;
    for (const ago of [0, 6, 7, 8, 30, 120]) retention.append('a', today - ago, { t: 20 }, 500);
    retention.settle();
    const before = retention.bytes;
    const hourly = retention.files.filter((name) => name.startsWith('rollups/hourly')).length;
    const plan = await retention.runner.plan();
    expect(plan.steps.map(({ level, action, blocked }) => [level, action, blocked])).toEqual([
      ['raw', 'drop', undefined],
      ['raw', 'drop', undefined],
      ['raw', 'drop', undefined],
      ['hourly', 'drop', undefined],
    ]);
    const report = await retention.runner.run();
    expect(report).toMatchObject({ files: 4, freedBytes: plan.freesBytes, blocked: [] });
    expect(retention.stored).toEqual({ 'a t': [-7, -6, 0] });
    expect(before - retention.bytes).toBeGreaterThan(plan.freesBytes * 0.9);
    expect(retention.files.filter((name) => name.startsWith('rollups/hourly'))).toHaveLength(hourly - 1);
    expect((await retention.runner.plan()).steps).toEqual([]);
    expect(retention.runner.letGo(10)).toHaveLength(4);
    expect(retention.runner.letGo(1)).toMatchObject([{ level: 'hourly', because: 'age' }]);
  });

  test('goes series by series where policies differ, and the file becomes smaller by about as much as the plan said', async () => {
    const { today } = retention;
    await retention.device('kept', { type: 'meter' });
    await retention.device('gone', { type: 'toy' });
    await retention.policies.put({ name: 'meters', deviceType: 'meter', keepDays: { raw: 365 } }, OPERATOR);
    for (const device of ['kept', 'gone']) retention.append(device, today - 10, { t: 20, u: 3 }, 25_000);
    retention.settle();
    const size = retention.bytes;
    const plan = await retention.runner.plan();
    expect(plan.steps).toMatchObject([{ level: 'raw', action: 'trim', from: plan.steps[0]!.to }]);
    const report = await retention.runner.run();
    expect(report).toMatchObject({ files: 1, blocked: [] });
    expect(retention.stored).toEqual({ 'kept t': [-10], 'kept u': [-10] });
    expect(report.freedBytes / plan.freesBytes).toBeGreaterThan(0.8);
    expect(report.freedBytes / plan.freesBytes).toBeLessThan(1.2);
    expect(size - retention.bytes).toBeGreaterThan(report.freedBytes * 0.9);
    expect((await retention.runner.plan()).steps).toEqual([]);
    await retention.crash();
    expect(retention.stored).toEqual({ 'kept t': [-10], 'kept u': [-10] });
  });

  test('of rollups goes by series too, and the room is given back', async () => {
    const { today } = retention;
    await retention.policies.put({ name: 'long', metric: 'long*', keepDays: { hourly: 400 } }, OPERATOR);
    for (let device = 0; device < 10; device++) {
      for (let ago = 100; ago < 107; ago++) retention.append(`d${device}`, today - ago, { 'long.term': 1, short: 2 }, 24);
    }
    retention.settle();
    const [before, rows] = [retention.bytes, retention.rolledUp()];
    const plan = await retention.runner.plan();
    const hourly = plan.steps.filter(({ level, action }) => level === 'hourly' && action === 'trim');
    expect(hourly.length).toBeGreaterThan(0);
    const report = await retention.runner.run();
    expect(report.blocked).toEqual([]);
    expect(retention.rolledUp()).toBe(rows / 2);
    expect(before - retention.bytes).toBeGreaterThan(report.freedBytes * 0.9);
    expect((await retention.runner.plan()).steps).toEqual([]);
  });

  test('is kept while points of it are in memory, stale, or could be read from the log again', async () => {
    const { today, store } = retention;
    retention.append('a', today - 10, { t: 1 }, 10);
    store.consume();
    const blocked = async (): Promise<unknown> => (await retention.runner.plan()).steps.map((step) => step.blocked);
    // No file yet.
    expect(await blocked()).toEqual([]);
    store.seal();
    expect(await blocked()).toEqual(['not-durable']);
    retention.append('a', today - 10, { t: 2 }, 10);
    store.consume();
    expect(await blocked()).toEqual(['hot-points']);
    expect(await retention.runner.run()).toMatchObject({ files: 0, blocked: [{ because: 'hot-points' }] });
    store.seal();
    store.saveLowWater();
    expect(await blocked()).toEqual(['stale-hours']);
    retention.rollUp();
    store.saveLowWater();
    expect(await blocked()).toEqual([undefined]);
    expect(await retention.runner.run()).toMatchObject({ files: 1 });
  });

  test('late points of a day that was dropped are taken, add to the rollups, and go with the next pass', async () => {
    const { today } = retention;
    retention.append('a', today - 10, { t: 1 }, 10);
    retention.settle();
    await retention.runner.run();
    expect(retention.stored).toEqual({});
    expect(retention.rolledUp()).toBe(10);
    retention.append('a', today - 10, { t: 5 }, 7);
    retention.settle();
    expect(retention.stored).toEqual({ 'a t': [-10] });
    expect(retention.rolledUp()).toBe(17);
    await retention.crash();
    expect(retention.rolledUp()).toBe(17);
    await retention.runner.run();
    expect(retention.stored).toEqual({});
    expect(retention.rolledUp()).toBe(17);
  });

  test('late points of a series that was let go from a day that is kept add to its rollups too', async () => {
    const { today } = retention;
    await retention.policies.put({ name: 'kept', metric: 'kept', keepDays: { raw: 365 } }, OPERATOR);
    retention.append('a', today - 10, { kept: 1, gone: 2 }, 10);
    retention.settle();
    await retention.runner.run();
    expect(retention.stored).toEqual({ 'a kept': [-10] });
    retention.append('a', today - 10, { kept: 3, gone: 4 }, 4);
    retention.settle();
    // Two of the kept ones have the times of others, which they replace; those of what had gone count anew.
    expect(retention.rolledUp()).toBe(10 + 2 + 10 + 4);
    retention.store.clock.advance(25 * 3_600_000);
    await retention.crash();
    await retention.runner.run();
    expect(Object.keys(retention.stored)).toEqual(['a kept']);
    expect(retention.rolledUp()).toBe(10 + 2 + 10 + 4);
  });

  test('leaves the last value of a device that is silent', async () => {
    const { today } = retention;
    retention.append('a', today - 10, { t: 1 }, 10);
    retention.settle();
    const latest = async (): Promise<unknown> => {
      const { hot } = retention.store.writer;
      const calls = { hotLatest: (query: { readonly devices: readonly string[] }) => hot.latest(query) };
      using queries = new StoreQueries({
        telemetryDir: retention.store.dir,
        // Of all calls only this one is asked.
        hot: localCaller(calls as unknown as HotCalls),
        clock: retention.store.clock,
      });
      return (await queries.latest([parseDeviceId('a')])).get(parseDeviceId('a'));
    };
    await retention.crash();
    const before = await latest();
    expect(before).toMatchObject([{ metric: 't', timeMs: (today - 10) * DAY_MS + 0.9 * DAY_MS }]);
    await retention.runner.run();
    expect(retention.stored).toEqual({});
    await retention.crash();
    expect(await latest()).toEqual(before);
  });

  test('points of days that are still to come stay', async () => {
    retention.append('a', retention.today + 1, { t: 1 }, 2);
    retention.settle();
    await retention.policies.put({ name: 'default', keepDays: { raw: 1 } }, OPERATOR);
    expect((await retention.runner.plan()).steps).toEqual([]);
    await retention.runner.run();
    expect(retention.stored).toEqual({ 'a t': [1] });
  });
});

describe('a legal hold', () => {
  test('keeps its devices at every level, and only these', async () => {
    const { today } = retention;
    await retention.device('held');
    await retention.device('free');
    for (const ago of [10, 120]) for (const device of ['held', 'free']) retention.append(device, today - ago, { t: 1 }, 24);
    retention.settle();
    const hold = await retention.holds.create({ kind: 'device', device: 'held' }, 'case 7', OPERATOR);
    const plan = await retention.runner.plan();
    expect(plan.steps.map(({ level, action }) => [level, action])).toEqual([
      ['raw', 'trim'],
      ['raw', 'trim'],
      ['hourly', 'trim'],
    ]);
    await retention.runner.run();
    expect(retention.stored).toEqual({ 'held t': [-120, -10] });
    expect(retention.rolledUp()).toBe(24 * 3);
    expect((await retention.runner.plan()).steps.map(({ blocked }) => blocked)).toEqual(['held', 'held', 'held']);
    expect(await retention.runner.run()).toMatchObject({ files: 0 });
    await retention.holds.release(hold.id, OPERATOR);
    await retention.runner.run();
    expect(retention.stored).toEqual({});
    expect(retention.rolledUp()).toBe(24 * 2);
  });

  test('covers what stands in the group or is of the type, and what has left it', async () => {
    await retention.registry.groups.create('/a', OPERATOR);
    await retention.registry.groups.create('/b', OPERATOR);
    await retention.device('in-group', { group: '/a' });
    await retention.device('of-type', { type: 'meter' });
    await retention.device('left', { group: '/a' });
    await retention.holds.create({ kind: 'group', group: '/a' }, 'r', OPERATOR);
    await retention.holds.create({ kind: 'type', deviceType: 'meter' }, 'r', OPERATOR);
    await retention.registry.devices.update(parseDeviceId('left'), { group: '/b' }, OPERATOR);
    await retention.device('came', { group: '/b' });
    const devices = ['in-group', 'of-type', 'left', 'came', 'unknown'];
    for (const device of devices) retention.append(device, retention.today - 10, { t: 1 }, 5);
    retention.settle();
    await retention.runner.run();
    expect(Object.keys(retention.stored).sort()).toEqual(['in-group t', 'left t', 'of-type t']);
    await expect(retention.registry.groups.move('/a', '/b/a', OPERATOR)).resolves.toBeDefined();
    await expect(retention.registry.devices.remove(parseDeviceId('left'))).rejects.toMatchObject({ code: 'hold.active' });
    await expect(retention.registry.groups.remove('/b', OPERATOR, { force: true })).rejects.toMatchObject({
      code: 'hold.active',
    });
  });

  test('that is made in the middle of a pass holds from when it is settled on', async () => {
    const { today } = retention;
    await retention.device('held');
    for (const ago of [12, 11, 10]) retention.append('held', today - ago, { t: 1 }, 5);
    retention.settle();
    const { caller } = retention;
    let dropped = 0;
    await retention.runner[Symbol.asyncDispose]();
    let settled: Promise<void> | undefined;
    const call = async (name: keyof UpkeepStoreCalls, argument: never): Promise<unknown> => {
      const answer = await caller.call(name, argument);
      if (name === 'dropDay' && ++dropped === 1) {
        await retention.holds.create({ kind: 'device', device: 'held' }, 'now', OPERATOR);
        settled = retention.runner.settle();
      }
      return answer;
    };
    // It answers as the caller does that it asks.
    retention.openRunner({ store: { call: call as typeof caller.call } });
    expect(await retention.runner.run()).toMatchObject({ interrupted: true, files: 1 });
    await settled;
    expect(dropped).toBe(1);
    expect(retention.stored).toEqual({ 'held t': [-11, -10] });
    expect(await retention.runner.run()).toMatchObject({ interrupted: false, files: 0 });
  });
});

describe('an archive', () => {
  test('is waited for: what it does not have of the file as it is stays', async () => {
    const { today } = retention;
    retention.append('a', today - 10, { t: 1 }, 5);
    retention.append('a', today - 9, { t: 1 }, 5);
    retention.settle();
    const archived = new Set([today - 10]);
    const expiry: ArchiveExpiry = { objects: () => [], remove: () => Promise.resolve() };
    await retention.runner[Symbol.asyncDispose]();
    retention.openRunner({ archive: { gate: { isArchived: ({ day }) => Promise.resolve(archived.has(day)) }, expiry } });
    expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [{ because: 'not-archived' }] });
    expect(retention.stored).toEqual({ 'a t': [-9] });
    archived.add(today - 9);
    expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [] });
  });

  test('lets its own objects go by the longest that a policy may mean for them, and none that may be held', async () => {
    const { today } = retention;
    await retention.device('held', { type: 'pump' });
    await retention.device('any', { type: 'meter' });
    await retention.policies.put({ name: 'default', keepDays: { archive: 100 } }, OPERATOR);
    await retention.policies.put({ name: 'meters', deviceType: 'meter', metric: 'energy', keepDays: { archive: 400 } }, OPERATOR);
    await retention.holds.create({ kind: 'device', device: 'held' }, 'r', OPERATOR);
    const object = (id: number, deviceType: string | undefined, ago: number, firstDevice: string): ExpirableObject => {
      return { id, key: `k${id}`, day: today - ago, deviceType, firstDevice, lastDevice: `${firstDevice}z`, sizeBytes: 10 };
    };
    const objects = [
      object(1, undefined, 101, 'a'),
      object(2, 'meter', 101, 'a'),
      object(3, 'meter', 401, 'a'),
      object(4, 'pump', 101, 'h'),
      object(5, undefined, 99, 'a'),
    ];
    const removed: number[] = [];
    const expiry: ArchiveExpiry = {
      objects: () => objects.filter(({ id }) => !removed.includes(id)),
      remove: (ids) => Promise.resolve(void removed.push(...ids)),
    };
    await retention.runner[Symbol.asyncDispose]();
    retention.openRunner({ archive: { gate: { isArchived: () => Promise.resolve(true) }, expiry } });
    const plan = await retention.runner.plan();
    expect(plan.steps.map(({ level, file, blocked }) => [level, file, blocked])).toEqual([
      ['archive', 'k1', undefined],
      ['archive', 'k3', undefined],
      ['archive', 'k4', 'held'],
    ]);
    expect(await retention.runner.run()).toMatchObject({ files: 2, freedBytes: 20 });
    expect(removed).toEqual([1, 3]);
  });
});

describe('an archive that is kept for less long than points are', () => {
  test('keeps what it has of a day as long as the store has points of it: readers take these from the archive', async () => {
    const { today } = retention;
    await retention.policies.put({ name: 'default', keepDays: { raw: 365, archive: 5 } }, OPERATOR);
    retention.append('a', today - 10, { t: 1 }, 5);
    retention.settle();
    const object = { deviceType: undefined, firstDevice: 'a', lastDevice: 'a', sizeBytes: 10 };
    const removed: number[] = [];
    const expiry: ArchiveExpiry = {
      objects: () => [10, 11].map((ago) => ({ ...object, id: ago, key: `k${ago}`, day: today - ago })),
      remove: (ids) => Promise.resolve(void removed.push(...ids)),
    };
    await retention.runner[Symbol.asyncDispose]();
    retention.openRunner({ archive: { gate: { isArchived: () => Promise.resolve(true) }, expiry } });
    const { steps } = await retention.runner.plan();
    expect(steps.map(({ file, blocked }) => [file, blocked])).toEqual([
      ['k10', 'finer-kept'],
      ['k11', undefined],
    ]);
    await retention.runner.run();
    expect(removed).toEqual([11]);
  });
});

describe('a clock that is wrong', () => {
  test('lets nothing go, with a message, until it is right or somebody says so', async () => {
    const { today, store } = retention;
    retention.append('a', today - 1, { t: 1 }, 5);
    retention.settle();
    await retention.runner.run();
    store.clock.step(73 * 365 * DAY_MS);
    const report = await retention.runner.run();
    expect(report).toMatchObject({ files: 0, refused: expect.stringContaining('confirm-clock') as string });
    const plan = await retention.runner.plan();
    expect(plan.refused).toMatchObject({ reason: 'clock' });
    expect(plan.steps).toHaveLength(3);
    expect(Object.keys(retention.stored)).toHaveLength(1);
    retention.runner.confirmClock();
    expect(await retention.runner.run()).toMatchObject({ files: 3 });
  });
});

describe('a full volume', () => {
  test('does not keep whole files from going; what would have to be copied waits', async () => {
    const { today } = retention;
    await retention.policies.put({ name: 'kept', metric: 'kept', keepDays: { raw: 365 } }, OPERATOR);
    retention.append('a', today - 10, { kept: 1, gone: 2 }, 10);
    retention.append('a', today - 20, { gone: 2 }, 10);
    retention.settle();
    await retention.runner[Symbol.asyncDispose]();
    retention.openRunner({ freeBytes: () => 0 });
    expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [{ because: 'no-room' }] });
    expect(retention.stored).toEqual({ 'a gone': [-10], 'a kept': [-10] });
  });
});
