import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { damageChunks } from '../telemetry/damaged-chunks.fixture.ts';
import { RetentionHarness } from './retention.fixture.ts';
import { SpaceMaker } from './space-maker.ts';

let retention: RetentionHarness;
beforeEach(async () => {
  retention = await RetentionHarness.open();
});
afterEach(async () => await retention[Symbol.asyncDispose]());

/** Points of three devices, of which the chunk of the first is damaged before it is rolled up. */
function damagedDay(ago: number): void {
  const { store, today } = retention;
  for (const device of ['bad', 'good', 'fine']) retention.append(device, today - ago, { t: 1 }, 10);
  store.consume();
  store.seal();
  store.saveLowWater();
  const [series] = store.writer.devices.find('bad')!.series;
  damageChunks(store.dir, today - ago, `series = ${series}`);
}

test('a day of which a chunk cannot be decoded goes when it is too old, and the rollups have the rest of it', async () => {
  damagedDay(10);
  expect(await retention.runner.run()).toMatchObject({ files: 0, blocked: [{ because: 'stale-hours' }] });
  retention.rollUp();
  retention.store.saveLowWater();
  expect(await retention.runner.run()).toMatchObject({ files: 1, blocked: [] });
  expect(retention.files.filter((name) => name.startsWith('days'))).toEqual([]);
  expect(retention.rolledUp()).toBe(20);
  await retention.crash();
  expect(retention.rolledUp()).toBe(20);
});

test('a day of which a chunk cannot be decoded goes for want of space', async () => {
  damagedDay(3);
  retention.append('good', retention.today, { t: 1 });
  retention.settle();
  const { runner, caller, store } = retention;
  const maker = new SpaceMaker({ runner, store: caller, archive: undefined, clock: store.clock, logLines: silentLogLines });
  expect(await maker.dropOldest()).toBeGreaterThan(0);
  expect(retention.stored).toEqual({ 'good t': [0] });
});
