import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interval } from '../kernel/time-text.ts';
import { openBuckets } from './buckets.ts';
import { ZoneOffsets } from './buckets-zone.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The beginnings of the buckets from the one that holds `from` until after `to`, as UTC text. */
function starts(timeZone: string, interval: Interval, from: string, to: string): string[] {
  const buckets = openBuckets(interval, new ZoneOffsets(timeZone));
  const found: string[] = [];
  for (let at = Date.parse(from); at < Date.parse(to); at = buckets.endMs) {
    buckets.seek(at);
    expect(buckets.startMs).toBeLessThanOrEqual(at);
    expect(buckets.endMs).toBeGreaterThan(at);
    found.push(new Date(buckets.startMs).toISOString().slice(0, 16));
  }
  return found;
}

/** Wall time in a zone as ms, as if it were UTC: by another way than the code under test. */
function wallMs(format: Intl.DateTimeFormat, timeMs: number): number {
  const part = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
  return (
    Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second']) + (timeMs % 1_000)
  );
}

function wallFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
  'America/Havana',
  'Pacific/Apia',
  'Africa/Casablanca',
];

describe('offsets', () => {
  it.each(ZONES)('of %s are those of the wall clock, at any time since 1970', (timeZone) => {
    const zone = new ZoneOffsets(timeZone);
    const format = wallFormat(timeZone);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2037, 0) }), (timeMs) => {
        expect(zone.offsetMs(timeMs)).toBe(wallMs(format, timeMs) - timeMs);
      }),
      { numRuns: 400 },
    );
  });

  it('change at the very millisecond', () => {
    const zone = new ZoneOffsets('Europe/Berlin');
    const change = Date.parse('2026-03-29T01:00:00Z');
    expect([zone.offsetMs(change - 1), zone.offsetMs(change)]).toEqual([HOUR_MS, 2 * HOUR_MS]);
  });

  it('of a zone that does not exist are an error of the request', () => {
    expect(() => new ZoneOffsets('Europe/Atlantis')).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  });
});

describe('calendar days', () => {
  it.each([
    ['Europe/Berlin', '2026-03-28T12:00Z', ['2026-03-27T23:00', '2026-03-28T23:00', '2026-03-29T22:00', '2026-03-30T22:00']],
    ['Europe/Berlin', '2026-10-24T12:00Z', ['2026-10-23T22:00', '2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00']],
    ['America/St_Johns', '2026-03-07T12:00Z', ['2026-03-07T03:30', '2026-03-08T03:30', '2026-03-09T02:30', '2026-03-10T02:30']],
    ['America/St_Johns', '2026-10-31T12:00Z', ['2026-10-31T02:30', '2026-11-01T02:30', '2026-11-02T03:30', '2026-11-03T03:30']],
    [
      'Australia/Lord_Howe',
      '2026-04-04T00:00Z',
      ['2026-04-03T13:00', '2026-04-04T13:00', '2026-04-05T13:30', '2026-04-06T13:30'],
    ],
    [
      'Australia/Lord_Howe',
      '2026-10-03T00:00Z',
      ['2026-10-02T13:30', '2026-10-03T13:30', '2026-10-04T13:00', '2026-10-05T13:00'],
    ],
    ['Asia/Kathmandu', '2026-01-01T00:00Z', ['2025-12-31T18:15', '2026-01-01T18:15', '2026-01-02T18:15', '2026-01-03T18:15']],
    // The clock jumps over midnight: the day begins at one.
    ['America/Sao_Paulo', '2018-11-03T12:00Z', ['2018-11-03T03:00', '2018-11-04T03:00', '2018-11-05T02:00', '2018-11-06T02:00']],
    // Midnight comes twice, an hour apart.
    ['America/Havana', '2026-10-31T12:00Z', ['2026-10-31T04:00', '2026-11-01T04:00', '2026-11-02T05:00', '2026-11-03T05:00']],
    // A minute after midnight the clock went back to 23:01: the day does not begin again.
    ['America/St_Johns', '2010-11-06T12:00Z', ['2010-11-06T02:30', '2010-11-07T02:30', '2010-11-08T03:30', '2010-11-09T03:30']],
    // The 30th was left out.
    ['Pacific/Apia', '2011-12-29T12:00Z', ['2011-12-29T10:00', '2011-12-30T10:00', '2011-12-31T10:00', '2012-01-01T10:00']],
  ])('of %s from %s', (timeZone, from, expected) => {
    expect(starts(timeZone, { calendar: 'day', count: 1 }, from, `${expected[3]!}:00.001Z`)).toEqual(expected);
  });

  it.each(ZONES)(
    'of %s hold exactly the instants of that date on the wall, where the clock does not pass midnight twice',
    (timeZone) => {
      const buckets = openBuckets({ calendar: 'day', count: 1 }, new ZoneOffsets(timeZone));
      const format = wallFormat(timeZone);
      const date = (timeMs: number): number => Math.floor(wallMs(format, timeMs) / DAY_MS);
      fc.assert(
        fc.property(fc.integer({ min: Date.UTC(2012, 0), max: Date.UTC(2037, 0) }), (timeMs) => {
          buckets.seek(timeMs);
          expect(date(buckets.startMs)).toBe(date(timeMs));
          expect(date(buckets.startMs - 1)).toBe(date(timeMs) - 1);
          expect(date(buckets.endMs - 1)).toBe(date(timeMs));
          expect(date(buckets.endMs)).toBe(date(timeMs) + 1);
        }),
        { numRuns: 200 },
      );
    },
  );

  it('in twos are counted from 1970-01-01', () => {
    expect(starts('UTC', { calendar: 'day', count: 2 }, '1969-12-31T12:00Z', '1970-01-04T00:00Z')).toEqual([
      '1969-12-30T00:00',
      '1970-01-01T00:00',
      '1970-01-03T00:00',
    ]);
  });
});

it('weeks begin on Monday', () => {
  expect(starts('Europe/Berlin', { calendar: 'week', count: 1 }, '2026-03-25T12:00Z', '2026-04-06T00:00Z')).toEqual([
    '2026-03-22T23:00',
    '2026-03-29T22:00',
    '2026-04-05T22:00',
  ]);
});

it('months have their own lengths, and three of them are a quarter', () => {
  expect(starts('Europe/Berlin', { calendar: 'month', count: 1 }, '2024-01-31T23:30Z', '2024-04-01T00:00Z')).toEqual([
    '2024-01-31T23:00',
    '2024-02-29T23:00',
    '2024-03-31T22:00',
  ]);
  expect(starts('UTC', { calendar: 'month', count: 3 }, '1969-11-15T00:00Z', '1970-04-02T00:00Z')).toEqual([
    '1969-10-01T00:00',
    '1970-01-01T00:00',
    '1970-04-01T00:00',
  ]);
});

describe('fixed intervals', () => {
  it('below a day begin at midnight in the zone', () => {
    expect(starts('Asia/Kathmandu', { ms: 6 * HOUR_MS }, '2026-01-01T00:00Z', '2026-01-01T19:00Z')).toEqual(
      ['2025-12-31T18:15', '2026-01-01T00:15', '2026-01-01T06:15', '2026-01-01T12:15', '2026-01-01T18:15'].slice(0, 5),
    );
  });

  it('of an hour are 23 and 25 on the days of the change', () => {
    expect(starts('Europe/Berlin', { ms: HOUR_MS }, '2026-03-28T23:00Z', '2026-03-29T22:00Z')).toHaveLength(23);
    expect(starts('Europe/Berlin', { ms: HOUR_MS }, '2026-10-24T22:00Z', '2026-10-25T23:00Z')).toHaveLength(25);
  });

  it('end with a shorter one before midnight where the change does not fit', () => {
    expect(starts('Australia/Lord_Howe', { ms: HOUR_MS }, '2026-04-05T11:00Z', '2026-04-05T15:00Z')).toEqual([
      '2026-04-05T11:00',
      '2026-04-05T12:00',
      '2026-04-05T13:00',
      '2026-04-05T13:30',
      '2026-04-05T14:30',
    ]);
  });

  it('that do not divide a day are multiples since 1970 UTC in every zone', () => {
    const sevenHours = starts('Asia/Kathmandu', { ms: 7 * HOUR_MS }, '1970-01-01T00:00Z', '1970-01-02T12:00Z');
    expect(sevenHours).toEqual(starts('UTC', { ms: 7 * HOUR_MS }, '1970-01-01T00:00Z', '1970-01-02T12:00Z'));
    expect(sevenHours.slice(0, 3)).toEqual(['1970-01-01T00:00', '1970-01-01T07:00', '1970-01-01T14:00']);
    const buckets = openBuckets({ ms: 3 * DAY_MS }, new ZoneOffsets('UTC'));
    buckets.seek(-1);
    expect([buckets.startMs, buckets.endMs]).toEqual([-3 * DAY_MS, 0]);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuse a length of %s', (length) => {
    const zone = new ZoneOffsets('UTC');
    expect(() => openBuckets({ ms: length }, zone)).toThrow(expect.objectContaining({ code: 'request.invalid' }));
    expect(() => openBuckets({ calendar: 'day', count: length }, zone)).toThrow(
      expect.objectContaining({ code: 'request.invalid' }),
    );
  });
});

it('any instant has a bucket, also at the ends of time', () => {
  for (const timeZone of ZONES) {
    for (const calendar of ['day', 'week', 'month'] as const) {
      const buckets = openBuckets({ calendar, count: 1 }, new ZoneOffsets(timeZone));
      for (const timeMs of [-8.64e15, -1, 0, 8.64e15 - 1]) {
        buckets.seek(timeMs);
        expect(buckets.endMs).toBeGreaterThan(timeMs);
      }
    }
  }
});
