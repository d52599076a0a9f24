import { expect, test } from 'vitest';
import { checkLevels, effectiveDays } from './kept-levels.ts';
import { DEFAULT_KEEP } from './retention-policy.ts';

test('coarser points are really kept at least as long as finer ones', () => {
  expect(effectiveDays({}, DEFAULT_KEEP)).toEqual(DEFAULT_KEEP);
  expect(effectiveDays({ raw: 365 }, DEFAULT_KEEP)).toEqual({ raw: 365, hourly: 365, daily: 1826, archive: null });
  expect(effectiveDays({ daily: 2 }, DEFAULT_KEEP)).toMatchObject({ hourly: 90, daily: 90 });
  expect(effectiveDays({ raw: null, archive: 3 }, DEFAULT_KEEP)).toEqual({ raw: null, hourly: null, daily: null, archive: 3 });
  expect(effectiveDays({ raw: 1 }, { ...DEFAULT_KEEP, daily: null, hourly: 2 })).toMatchObject({
    raw: 1,
    hourly: 2,
    daily: null,
  });
});

test('a level that would always be kept as long as a finer one is refused', () => {
  const refused = (field: string, finer: string): unknown =>
    expect.objectContaining({ code: 'request.invalid', details: { field: 'keepDays', level: field, finer } });
  expect(() => checkLevels({ daily: 2 }, [DEFAULT_KEEP])).toThrow(refused('daily', 'hourly'));
  expect(() => checkLevels({ raw: 30, hourly: 7 }, [DEFAULT_KEEP])).toThrow(refused('hourly', 'raw'));
  expect(() => checkLevels({ raw: null, hourly: 7 }, [DEFAULT_KEEP])).toThrow(refused('hourly', 'raw'));
  expect(() => checkLevels({ raw: 200, hourly: 300, daily: 250 }, [])).toThrow(refused('daily', 'hourly'));
  for (const fine of [
    { raw: 365 },
    { daily: 90 },
    { hourly: 7 },
    { raw: 3653, daily: null },
    { hourly: 2, raw: 1, daily: 2 },
    { archive: 1 },
  ])
    expect(() => checkLevels(fine, [DEFAULT_KEEP])).not.toThrow();
  // Where another policy keeps hours shorter, days may be.
  expect(() => checkLevels({ daily: 2 }, [DEFAULT_KEEP, { raw: 1, hourly: 1 }])).not.toThrow();
});
