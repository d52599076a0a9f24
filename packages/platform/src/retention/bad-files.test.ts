import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { ArchiveExpiry, ArchiveGate } from './archive-gate.ts';
import { OPERATOR, RetentionHarness } from './retention.fixture.ts';
import { SpaceMaker } from './space-maker.ts';

let retention: RetentionHarness;
beforeEach(async () => {
  retention = await RetentionHarness.open();
});
afterEach(async () => await retention[Symbol.asyncDispose]());

const badSector = (): never => {
  throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10 });
};

/** A gate that cannot look into a day. */
const gateWithout = (bad: number): ArchiveGate => ({
  isArchived: async ({ day }) => (day === bad ? badSector() : true),
});

test('a file of which it cannot be found out what it has keeps no other from going', async () => {
  const { today } = retention;
  await retention.device('kept', { type: 'meter' });
  await retention.policies.put({ name: 'meters', deviceType: 'meter', keepDays: { raw: 365 } }, OPERATOR);
  for (const ago of [8, 9, 10]) retention.append('gone', today - ago, { t: 20 }, 100);
  retention.settle();
  const { view } = retention.runner;
  const sharesOf = view.sharesOf.bind(view);
  view.sharesOf = async (file, rules, signal) =>
    file.path.includes(new Date((today - 9) * 86_400_000).toISOString().slice(0, 10))
      ? badSector()
      : await sharesOf(file, rules, signal);
  expect(await retention.runner.run()).toMatchObject({ files: 2, blocked: [{ because: 'failed' }] });
  expect(retention.stored).toEqual({ 'gone t': [-9] });
  view.sharesOf = sharesOf;
  expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [] });
});

test('a day of which it cannot be found out whether it is archived keeps no other from going', async () => {
  const { today } = retention;
  for (const ago of [8, 9, 10]) retention.append('a', today - ago, { t: 20 }, 10);
  retention.settle();
  await retention.runner[Symbol.asyncDispose]();
  const expiry: ArchiveExpiry = { objects: () => [], remove: () => Promise.resolve() };
  retention.openRunner({ archive: { gate: gateWithout(today - 9), expiry } });
  expect(await retention.runner.run()).toMatchObject({ files: 2, blocked: [{ because: 'not-archived' }] });
  expect(retention.stored).toEqual({ 'a t': [-9] });
});

test('a day that cannot be let go for want of space keeps no other from it', async () => {
  const { today, store, caller } = retention;
  for (const ago of [0, 2, 3]) retention.append('a', today - ago, { t: 20 }, 10);
  retention.settle();
  const { runner } = retention;
  const parts = { runner, store: caller, clock: store.clock, logLines: silentLogLines };
  expect(await new SpaceMaker({ ...parts, archive: gateWithout(today - 3) }).dropOldest()).toBeGreaterThan(0);
  expect(retention.stored).toEqual({ 'a t': [-3, 0] });
});

test('archived objects that cannot be deleted are told of, and what else the pass has done is', async () => {
  const { today } = retention;
  retention.append('a', today - 10, { t: 20 }, 10);
  retention.settle();
  await retention.policies.put({ name: 'default', keepDays: { archive: 20 } }, OPERATOR);
  await retention.runner[Symbol.asyncDispose]();
  const object = { id: 1, key: 'k', day: today - 30, deviceType: undefined, firstDevice: 'a', lastDevice: 'a', sizeBytes: 9 };
  const expiry: ArchiveExpiry = { objects: () => [object], remove: async () => badSector() };
  retention.openRunner({ archive: { gate: { isArchived: () => Promise.resolve(true) }, expiry } });
  expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [{ file: 'k', because: 'failed' }] });
  expect(retention.runner.last).toMatchObject({ files: 1 });
});
