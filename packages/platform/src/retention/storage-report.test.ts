import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { RetentionHarness, OPERATOR } from './retention.fixture.ts';
import { RetentionService } from './retention-service.ts';

test('the report says what takes how much, and what comes of it by the policies as they are', async () => {
  await using retention = await RetentionHarness.open();
  const { today, store } = retention;
  await retention.device('a', { type: 'meter' });
  for (const ago of [3, 2, 1]) retention.append('a', today - ago, { t: 20 }, 2000);
  retention.settle();
  store.compact();
  const { dir, clock } = store;
  writeFileSync(join(dir, 'days', '2020-01-01.db.broken-1'), 'x'.repeat(500));
  await using service = new RetentionService({
    folders: { root: dir, telemetry: dir, archive: join(dir, 'no-archive'), log: join(dir, 'no-log') },
    registry: retention.registry.database,
    store: retention.caller,
    floorBytes: 100,
    whenShort: 'refuse',
    refuse: () => undefined,
    announce: () => undefined,
    volume: () => ({ sizeBytes: 1e12, freeBytes: 1e11 }),
    clock,
    logLines: silentLogLines,
  });
  clock.step(-2 * 86_400_000);
  const report = await service.storage();
  expect(report.levels.raw).toMatchObject({ files: 3, from: expect.stringMatching(/^20\d\d-\d\d-\d\d$/) as string });
  expect(report.levels.hourly.files).toBeGreaterThan(0);
  expect(report.levels.daily.files).toBe(1);
  expect(report.broken).toEqual({ bytes: 500, files: 1 });
  expect([report.archive, report.log]).toEqual([
    { bytes: 0, files: 0 },
    { bytes: 0, files: 0 },
  ]);
  expect(report.volume).toMatchObject({ state: 'ok', floorBytes: 100, freeBytes: 1e11 });
  const perDay = report.forecast.bytesPerDay.raw;
  // A day of it is about a third of what there is.
  expect(perDay / (report.levels.raw.bytes / 3)).toBeGreaterThan(0.2);
  expect(perDay / (report.levels.raw.bytes / 3)).toBeLessThan(1.1);
  expect(report.rateOf).toBe(new Date((today - 1) * 86_400_000).toISOString().slice(0, 10));
  const inAYear = (bytes: readonly { inDays: number; bytes: number }[]): number =>
    bytes.find(({ inDays }) => inDays === 365)!.bytes;
  const before = inAYear(report.forecast.points);
  await retention.policies.put({ name: 'meters', deviceType: 'meter', keepDays: { raw: 100 } }, OPERATOR);
  const after = inAYear((await service.storage()).forecast.points);
  expect(after - before).toBeGreaterThan(80 * perDay);
});
