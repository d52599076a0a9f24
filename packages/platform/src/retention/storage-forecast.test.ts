import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { forecast, type ArchiveFlow, type LevelFlow } from './storage-forecast.ts';

const TODAY = 20_000;

test('a year from now is what comes of going on day by day', () => {
  const keep = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(
      fc.array(keep, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 20 }),
      (kept, bytesPerDay, ages) => {
        const shares = kept.map(() => 1 / kept.length);
        const files = ages.map((ago) => ({ toDay: TODAY - ago + 1, bytes: kept.map((_, index) => index + 1) }));
        const flow: LevelFlow = { level: 'raw', bytesPerDay, keepDays: kept, shares, files };
        const { points } = forecast({ nowMs: TODAY * DAY_MS, flows: [flow], freeBytes: 1e12, floorBytes: 0 });
        // Each class a list of (day at whose end it goes, bytes).
        for (const { inDays, bytes } of points) {
          let naive = 0;
          kept.forEach((raw, index) => {
            for (const file of files) if (file.toDay + raw > TODAY + inDays) naive += file.bytes[index]!;
            for (let day = 1; day <= inDays; day++) if (day > inDays - raw) naive += bytesPerDay / kept.length;
          });
          expect(Math.abs(bytes - naive)).toBeLessThan(1);
        }
      },
    ),
  );
});

const AT = { nowMs: TODAY * DAY_MS, freeBytes: 1000, floorBytes: 100 };

/** Raw points of one class. */
function raw(bytesPerDay: number, keepDays: number | null = 7): LevelFlow {
  return { level: 'raw', bytesPerDay, keepDays: [keepDays], shares: [1], files: [] };
}

test('tells when the floor is reached, and what it comes to where it never is', () => {
  expect(forecast({ ...AT, flows: [raw(100)] })).toMatchObject({ floorAtMs: undefined, steadyBytes: 800 });
  expect(forecast({ ...AT, flows: [raw(200)] })).toMatchObject({ floorAtMs: (TODAY + 5) * DAY_MS });
  expect(forecast({ ...AT, freeBytes: 99, flows: [] })).toMatchObject({ floorAtMs: TODAY * DAY_MS });
  expect(forecast({ ...AT, flows: [raw(1, null)] })).toMatchObject({
    floorAtMs: (TODAY + 901) * DAY_MS,
    steadyBytes: undefined,
  });
});

describe('an archive', () => {
  const archive = (of: Partial<ArchiveFlow>): ArchiveFlow => ({
    bytesPerDay: 50,
    keepDays: [null],
    shares: [1],
    files: [{ toDay: TODAY - 100, bytes: [400] }],
    onVolume: true,
    ...of,
  });

  test('on the volume takes of what is free, for ever', () => {
    const found = forecast({ ...AT, flows: [raw(10)], archive: archive({}) });
    expect(found.archive).toEqual({ bytes: 400, bytesPerDay: 50, onVolume: true });
    // 1000 - 7 * 10 - 50 * 17 is less than 100.
    expect(found).toMatchObject({ floorAtMs: (TODAY + 17) * DAY_MS, steadyBytes: undefined });
    const [, week] = found.points;
    expect(week).toMatchObject({ inDays: 7, bytes: 70, archiveBytes: 400 + 350, freeBytes: 1000 - 70 - 350 });
  });

  test('elsewhere is told of, and takes nothing', () => {
    const without = forecast({ ...AT, flows: [raw(10)] });
    const found = forecast({ ...AT, flows: [raw(10)], archive: archive({ onVolume: false }) });
    expect(found.archive).toEqual({ bytes: 400, bytesPerDay: 50, onVolume: false });
    expect(found).toMatchObject({ floorAtMs: undefined, steadyBytes: without.steadyBytes });
    expect(found.points.map(({ archiveBytes }) => archiveBytes)).toEqual([450, 750, 1900, 4900, 18_650]);
    expect(found.points.map(({ freeBytes }) => freeBytes)).toEqual(without.points.map(({ freeBytes }) => freeBytes));
  });

  test('that lets its objects go comes to an end', () => {
    const found = forecast({ ...AT, flows: [raw(10)], archive: archive({ keepDays: [10], bytesPerDay: 20 }) });
    expect(found).toMatchObject({ floorAtMs: undefined, steadyBytes: 10 * 8 + 20 * 11 });
    // What is too old now goes with the next pass.
    expect(found.points.at(-1)).toMatchObject({ archiveBytes: 200 });
    const held = archive({ keepDays: [10], bytesPerDay: 20, files: [{ toDay: TODAY - 100, bytes: [0, 400] }] });
    expect(forecast({ ...AT, flows: [], archive: held })).toMatchObject({ steadyBytes: 400 + 20 * 11 });
  });
});
