import { Cron } from 'croner';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MaintenanceWindow } from './job-config.ts';
import { isTimeZone, timeZoneOf, WindowCalendar, windowFault } from './maintenance-windows.ts';

const at = (text: string): number => Date.parse(text);
const night: readonly MaintenanceWindow[] = [{ startTime: '0 2 * * *', durationMinutes: 120 }];

test('a window is open by the clocks of the device, whatever those of others say', () => {
  const calendar = new WindowCalendar();
  const state = (zone: string, time: string) => calendar.stateAt(night, zone, at(time));
  expect(state('Europe/Berlin', '2026-01-10T00:59:59.999Z')).toMatchObject({ open: false, untilMs: at('2026-01-10T01:00:00Z') });
  expect(state('Europe/Berlin', '2026-01-10T01:00:00Z')).toMatchObject({ open: true, untilMs: at('2026-01-10T03:00:00Z') });
  expect(state('Europe/Berlin', '2026-01-10T03:00:00Z')).toMatchObject({ open: false, untilMs: at('2026-01-11T01:00:00Z') });
  expect(state('Asia/Tokyo', '2026-01-10T01:30:00Z').open).toBe(false);
  expect(state('Asia/Tokyo', '2026-01-10T17:30:00Z').open).toBe(true);
});

test('where clocks skip the beginning of a window it begins after the gap; where they show it twice, once', () => {
  const calendar = new WindowCalendar();
  const early: readonly MaintenanceWindow[] = [{ startTime: '30 2 * * *', durationMinutes: 60 }];
  const isOpen = (time: string) => calendar.stateAt(early, 'Europe/Berlin', at(time)).open;
  // 29 March 2026: 02:00 becomes 03:00, which is 01:00 UTC.
  expect(['00:59', '01:00', '01:59', '02:00'].map((time) => isOpen(`2026-03-29T${time}:00Z`))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  // 25 October 2026: 03:00 becomes 02:00; 02:30 is 00:30 UTC and 01:30 UTC.
  const autumn = ['00:29', '00:30', '01:29', '01:30', '01:45'].map((time) => isOpen(`2026-10-25T${time}:00Z`));
  expect(autumn).toEqual([false, true, true, false, false]);
});

test('windows that touch are one; without windows it is always open', () => {
  const calendar = new WindowCalendar();
  const two = [...night, { startTime: '0 4 * * *', durationMinutes: 60 }];
  expect(calendar.stateAt(two, 'UTC', at('2026-01-10T03:00:00Z'))).toMatchObject({
    open: true,
    untilMs: at('2026-01-10T05:00:00Z'),
  });
  expect(calendar.stateAt([], 'UTC', 0)).toEqual({ open: true, untilMs: Number.POSITIVE_INFINITY });
  expect(calendar.stateAt([{ startTime: '* * * * *', durationMinutes: 5 }], 'UTC', at('2026-01-10T03:00:00Z')).open).toBe(true);
});

test('at every moment, and asked in whatever order, it is open exactly when some beginning is no longer ago than it lasts', () => {
  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
  const window = fc.record({
    startTime: fc
      .tuple(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 23 }), fc.constantFrom('*', '1-5', '0', '6'))
      .map(([minute, hour, day]) => `${minute} ${hour} * * ${day}`),
    durationMinutes: fc.integer({ min: 1, max: 3000 }),
  });
  const moment = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2026-12-31T00:00:00Z') });
  const calendar = new WindowCalendar();
  fc.assert(
    fc.property(
      fc.array(window, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...zones),
      fc.array(moment, { minLength: 1, maxLength: 4 }),
      (windows, zone, moments) => {
        for (const nowMs of moments) {
          const expected = windows.some(({ startTime, durationMinutes }) => {
            const [last] = new Cron(startTime, { timezone: zone, mode: '5-part', paused: true }).previousRuns(
              1,
              new Date(nowMs + 1_000),
            );
            const begun = last === undefined ? [] : [last.getTime()];
            return begun.some((start) => start <= nowMs && nowMs < start + durationMinutes * 60_000);
          });
          const state = calendar.stateAt(windows, zone, nowMs);
          expect(state.open).toBe(expected);
          expect(state.untilMs).toBeGreaterThan(nowMs);
          // Windows that leave no gap are looked at again after some days.
          const turns = calendar.stateAt(windows, zone, state.untilMs).open !== state.open;
          expect(turns || (state.open && state.untilMs - nowMs > 86_400_000)).toBe(true);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('a beginning that is no cron expression, or never comes, is refused', () => {
  expect(windowFault('0 2 * * *', 0)).toBeUndefined();
  for (const text of ['', '2 o’clock', '0 0 2 * * *', '61 * * * *', '@daily']) expect(windowFault(text, 0)).toMatch(/no cron/);
  expect(windowFault('0 0 30 2 *', 0)).toBe('never comes');
});

test('a device names its time zone in an attribute; one that names none, or nonsense, has that of the job', () => {
  const schedule = { maintenanceWindows: night, timeZone: 'America/New_York' };
  expect(timeZoneOf(schedule, { timeZone: 'Europe/Berlin' })).toBe('Europe/Berlin');
  expect(timeZoneOf(schedule, { timeZone: 'Atlantis' })).toBe('America/New_York');
  expect(timeZoneOf(schedule, {})).toBe('America/New_York');
  expect(timeZoneOf({ ...schedule, timeZoneAttribute: 'site.zone' }, { site: { zone: 'Asia/Tokyo' } })).toBe('Asia/Tokyo');
  expect(timeZoneOf({ maintenanceWindows: night }, {})).toBe('UTC');
  expect(timeZoneOf({}, { timeZone: 'Europe/Berlin' })).toBeUndefined();
  expect([isTimeZone('+02:00'), isTimeZone('Europe/Berlin'), isTimeZone('')]).toEqual([false, true, false]);
});
