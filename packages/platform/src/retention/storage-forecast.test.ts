import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { KeptDays } from './retention-policy.ts';
import { forecast, type LevelFlow } from './storage-forecast.ts';

const TODAY = 20_000;

test('a year from now is what comes of going on day by day', () => {
  const keep = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(
      fc.array(keep, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 20 }),
      (kept, bytesPerDay, ages) => {
        const classes = kept.map((raw): KeptDays => ({ raw, hourly: raw, daily: raw, archive: null }));
        const shares = classes.map(() => 1 / classes.length);
        const files = ages.map((ago) => ({ toDay: TODAY - ago + 1, bytes: classes.map((_, index) => index + 1) }));
        const flow: LevelFlow = { level: 'raw', bytesPerDay, shares, files };
        const { points } = forecast({ nowMs: TODAY * DAY_MS, flows: [flow], classes, freeBytes: 1e12, floorBytes: 0 });
        // Each class a list of (day at whose end it goes, bytes).
        for (const { inDays, bytes } of points) {
          let naive = 0;
          classes.forEach(({ raw }, index) => {
            for (const file of files) if (file.toDay + raw! > TODAY + inDays) naive += file.bytes[index]!;
            for (let day = 1; day <= inDays; day++) if (day > inDays - raw!) naive += bytesPerDay / classes.length;
          });
          expect(Math.abs(bytes - naive)).toBeLessThan(1);
        }
      },
    ),
  );
});

const WEEK: KeptDays = { raw: 7, hourly: 90, daily: 1826, archive: null };

test('tells when the floor is reached, and what it comes to where it never is', () => {
  const flow = (bytesPerDay: number): LevelFlow => ({ level: 'raw', bytesPerDay, shares: [1], files: [] });
  const at = { nowMs: TODAY * DAY_MS, classes: [WEEK], freeBytes: 1000, floorBytes: 100 };
  expect(forecast({ ...at, flows: [flow(100)] })).toMatchObject({ floorAtMs: undefined, steadyBytes: 800 });
  expect(forecast({ ...at, flows: [flow(200)] })).toMatchObject({ floorAtMs: (TODAY + 5) * DAY_MS });
  expect(forecast({ ...at, freeBytes: 99, flows: [] })).toMatchObject({ floorAtMs: TODAY * DAY_MS });
  const endless: KeptDays = { ...WEEK, raw: null };
  expect(forecast({ ...at, classes: [endless], flows: [flow(1)] })).toMatchObject({
    floorAtMs: (TODAY + 901) * DAY_MS,
    steadyBytes: undefined,
  });
});
