import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBuckets } from './buckets.ts';
import { ZoneOffsets } from './buckets-zone.ts';
import { DAY_MS, HOUR_MS } from './day-file-schema.ts';
import { addHoursOf, exactPieces, type Piece, withoutPending } from './query-levels.ts';
import type { Interval } from './telemetry-queries.ts';

const START = Date.UTC(2026, 2, 25);
const ZONES = ['UTC', 'Europe/Berlin', 'America/Los_Angeles', 'Asia/Kolkata', 'Australia/Lord_Howe'];

function piecesOf(fromMs: number, toMs: number, every: Interval, zone = 'UTC'): string[] {
  return exactPieces(fromMs, toMs, openBuckets(every, new ZoneOffsets(zone))).map(
    ({ level, fromMs: from, toMs: to }) => `${level} ${hours(from)}..${hours(to)}`,
  );
}

function hours(timeMs: number): number {
  return (timeMs - START) / HOUR_MS;
}

describe('the level of a piece of time', () => {
  it('is days where whole UTC days lie in one bucket', () => {
    expect(piecesOf(START, START + 3 * DAY_MS, { calendar: 'day', count: 1 })).toEqual(['1d 0..72']);
    expect(piecesOf(START, START + 60 * DAY_MS, { calendar: 'month', count: 1 })).toEqual(['1d 0..1440']);
  });

  it('is hours where days of a zone begin within a UTC day, also over a change of the clock', () => {
    expect(piecesOf(START, START + 7 * DAY_MS, { calendar: 'day', count: 1 }, 'Europe/Berlin')).toEqual(['1h 0..168']);
  });

  it('is raw where a bucket begins within an hour', () => {
    expect(piecesOf(START, START + DAY_MS, { ms: 900_000 })).toEqual(['raw 0..24']);
    expect(piecesOf(START, START + DAY_MS, { calendar: 'day', count: 1 }, 'Asia/Kolkata')).toEqual([
      '1h 0..18',
      'raw 18..19',
      '1h 19..24',
    ]);
  });

  it('is raw at the ends of a range that cuts an hour, and hours up to the next day', () => {
    const from = START + 1.5 * HOUR_MS;
    expect(piecesOf(from, START + 2 * DAY_MS + 0.25 * HOUR_MS, { calendar: 'day', count: 1 })).toEqual([
      'raw 1.5..2',
      '1h 2..24',
      '1d 24..48',
      'raw 48..48.25',
    ]);
  });

  const intervals = fc.oneof<fc.Arbitrary<Interval>[]>(
    fc.constantFrom(900_000, HOUR_MS, 2 * HOUR_MS, 5 * HOUR_MS, 36 * HOUR_MS, DAY_MS, 7 * DAY_MS).map((ms) => ({ ms })),
    fc.record({ calendar: fc.constantFrom('day' as const, 'week' as const, 'month' as const), count: fc.constantFrom(1, 2, 3) }),
  );

  it('covers the range without gap or overlap, and no rollup reaches out of the range or of its bucket', () => {
    fc.assert(
      fc.property(
        intervals,
        fc.constantFrom(...ZONES),
        fc.integer({ min: 0, max: 30 * 96 }),
        fc.integer({ min: 0, max: 30 * 96 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0xff_ff_ff })), { maxLength: 4 }),
        (every, zone, a, b, pendingDays) => {
          const [fromMs, toMs] = [a, b].sort((x, y) => x - y).map((quarter) => START - 5 * DAY_MS + quarter * 900_000) as [
            number,
            number,
          ];
          const pending = new Map(pendingDays.map(([day, mask]) => [START / DAY_MS - 5 + day, mask]));
          const pieces = withoutPending(exactPieces(fromMs, toMs, openBuckets(every, new ZoneOffsets(zone))), pending);
          let atMs = fromMs;
          for (const piece of pieces) {
            expect(piece.fromMs).toBe(atMs);
            atMs = piece.toMs;
            checkPiece(piece, every, zone, pending);
          }
          expect(atMs).toBe(toMs);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tells pending hours and leaves the others of their day to the hours', () => {
    const pending = new Map([[START / DAY_MS + 1, 0b110]]);
    const pieces = withoutPending([{ level: '1d', fromMs: START, toMs: START + 3 * DAY_MS }], pending);
    expect(pieces.map(({ level, fromMs, toMs }) => `${level} ${hours(fromMs)}..${hours(toMs)}`)).toEqual([
      '1d 0..24',
      '1h 24..25',
      'pending 25..27',
      '1h 27..48',
      '1d 48..72',
    ]);
  });
});

function checkPiece(piece: Piece, every: Interval, zone: string, pending: ReadonlyMap<number, number>): void {
  if (piece.level === 'raw') return;
  if (piece.level === 'pending') {
    for (let atMs = piece.fromMs; atMs < piece.toMs; atMs += HOUR_MS) {
      expect(pending.get(Math.floor(atMs / DAY_MS))! & (1 << ((atMs % DAY_MS) / HOUR_MS))).not.toBe(0);
    }
    return;
  }
  const unit = piece.level === '1d' ? DAY_MS : HOUR_MS;
  expect(piece.fromMs % unit).toBe(0);
  expect(piece.toMs % unit).toBe(0);
  const buckets = openBuckets(every, new ZoneOffsets(zone));
  for (let atMs = piece.fromMs; atMs < piece.toMs; atMs += unit) {
    buckets.seek(atMs);
    expect(buckets.endMs).toBeGreaterThanOrEqual(atMs + unit);
    const mask = pending.get(Math.floor(atMs / DAY_MS)) ?? 0;
    expect(piece.level === '1d' ? mask : mask & (1 << ((atMs % DAY_MS) / HOUR_MS))).toBe(0);
  }
}

describe('the hours of points', () => {
  it('are those that hold one', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 * DAY_MS }), { maxLength: 60 }), (list) => {
        const times = Float64Array.from(list.toSorted((a, b) => a - b));
        const pending = new Map<number, number>();
        addHoursOf(times, pending);
        const expected = new Map<number, number>();
        for (const timeMs of times) {
          const day = Math.floor(timeMs / DAY_MS);
          expected.set(day, (expected.get(day) ?? 0) | (1 << Math.floor((timeMs % DAY_MS) / HOUR_MS)));
        }
        expect(pending).toEqual(expected);
      }),
    );
  });
});
