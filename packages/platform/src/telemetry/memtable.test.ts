import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BufferPoints } from './buffer-points.ts';
import { ConsumedSteps } from './consumed-steps.ts';
import { DAY_MS } from './day-file-schema.ts';
import { FULL_POINTS, Memtable, type BufferId } from './memtable.ts';
import { SealPolicy } from './seal-policy.ts';
import type { PointValue } from './telemetry-queries.ts';

function points(memtable: Memtable, buffer: BufferId): [number, PointValue][] {
  const { count, times, values } = new BufferPoints().sorted(memtable, buffer);
  return Array.from({ length: count }, (_, index): [number, PointValue] => [times[index]!, values[index]!]);
}

describe('the memtable', () => {
  test('keeps what a map of (series, day, time) keeps, in whatever order points and releases come', () => {
    const value = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -9, max: 9 }) }, fc.boolean(), fc.constantFrom('a', 'b'));
    const step = fc.oneof(
      {
        weight: 20,
        arbitrary: fc.record({
          series: fc.nat(4),
          day: fc.integer({ min: 0, max: 4 }),
          time: fc.oneof(fc.nat(40), fc.constantFrom(0, DAY_MS - 1)),
          value,
        }),
      },
      { weight: 1, arbitrary: fc.record({ release: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const memtable = new Memtable(10_000);
        memtable.register(4);
        const model = new Map<string, Map<number, PointValue>>();
        for (const one of steps) {
          if ('release' in one) {
            const buffers = [...memtable.all()];
            const buffer = buffers[one.release % (buffers.length || 1)];
            if (buffer === undefined) continue;
            model.delete(`${memtable.seriesOf(buffer)}/${memtable.dayOf(buffer)}`);
            memtable.release(buffer);
            continue;
          }
          memtable.addMixed(one.series, one.day, one.time, one.value);
          const key = `${one.series}/${one.day}`;
          model.set(key, (model.get(key) ?? new Map<number, PointValue>()).set(one.day * DAY_MS + one.time, one.value));
        }
        const found = new Map(
          [...memtable.all()].map((buffer) => [
            `${memtable.seriesOf(buffer)}/${memtable.dayOf(buffer)}`,
            points(memtable, buffer),
          ]),
        );
        const expected = [...model].map(([key, of]): [string, [number, PointValue][]] => [
          key,
          [...of].sort(([a], [b]) => a - b),
        ]);
        expect(found).toEqual(new Map(expected));
        expect([0, 1, 2, 3, 4].flatMap((series) => memtable.buffersOf(series)).length).toBe(found.size);
        for (const buffer of memtable.all()) memtable.release(buffer);
        expect([memtable.points, memtable.buffers, memtable.fill, memtable.dueBuffers]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 100 },
    );
  });

  test('holds 300,000 series without an object for each, and gives all room back', () => {
    const memtable = new Memtable(300_000 * 16);
    for (let round = 0; round < 2; round++) {
      memtable.register(299_999);
      for (let point = 0; point < 16; point++)
        for (let series = 0; series < 300_000; series++) memtable.add(series, 1, point, series + point);
      expect([memtable.points, memtable.fill, memtable.hasRoomFor(1)]).toEqual([4_800_000, 1, false]);
      expect(points(memtable, memtable.buffersOf(299_999)[0]!)[15]).toEqual([DAY_MS + 15, 300_014]);
      for (const buffer of memtable.all()) memtable.release(buffer);
      expect(memtable.fill).toBe(0);
    }
  });

  test('says when a buffer is full, and counts text against its room', () => {
    const memtable = new Memtable(20_000);
    memtable.register(2);
    for (let point = 0; point < FULL_POINTS; point++) memtable.add(1, 7, point, point);
    expect([memtable.dueDay(), memtable.dueOf(7, 10).map((buffer) => memtable.seriesOf(buffer))]).toEqual([7, [1]]);
    const before = memtable.fill;
    for (let point = 0; point < 100; point++) memtable.addMixed(2, 7, point, `${point}`.padEnd(1000));
    expect(memtable.fill - before).toBeGreaterThan(0.8);
  });
});

describe('the seal policy', () => {
  test('makes due what is old, or far behind, and spreads what began together', () => {
    const memtable = new Memtable(100_000);
    const steps = new ConsumedSteps();
    const policy = new SealPolicy(memtable, steps, { sealAfterMs: 1000, sealAfterRecords: 1_000_000 });
    memtable.register(999);
    memtable.step = steps.begin({ positions: [0], startMs: 0, consumed: 0, assignedMs: 0 });
    for (let series = 0; series < 1000; series++) memtable.add(series, 1, 0, 1);
    memtable.step = steps.begin({ positions: [5], startMs: 900, consumed: 900_000, assignedMs: 0 });
    memtable.add(0, 2, 0, 1);
    policy.byAge(740, 0);
    expect(memtable.dueBuffers).toBe(0);
    policy.byAge(875, 0);
    expect(memtable.dueBuffers).toBeGreaterThan(300);
    expect(memtable.dueBuffers).toBeLessThan(700);
    policy.byAge(1000, 0);
    expect([memtable.dueBuffers, memtable.dueOf(2, 1).length]).toEqual([1000, 0]);
    policy.byAge(0, 1_900_000);
    expect(memtable.dueBuffers).toBe(1001);
  });

  test('takes the largest buffers when the memtable is nearly full', () => {
    const memtable = new Memtable(16_000);
    const policy = new SealPolicy(memtable, new ConsumedSteps(), { sealAfterMs: 1000, sealAfterRecords: 1000 });
    memtable.register(7000);
    for (let series = 0; series < 100; series++) memtable.add(series, 1, 0, 1);
    for (let series = 100; series < 900; series++) for (let point = 0; point < 16; point++) memtable.add(series, 1, point, 1);
    policy.byFill();
    expect(memtable.dueOf(1, Infinity).filter((buffer) => memtable.countOf(buffer) === 16).length).toBe(800);
  });

  test('tells of which days it has points, unless they are too many to copy each time', () => {
    let changes = 0;
    const memtable = new Memtable(10_000, () => changes++);
    memtable.register(2);
    for (const day of [7, 8, 7]) for (const series of [0, 1]) memtable.add(series, day, changes, 1);
    expect([memtable.days(2), memtable.days(1), changes]).toEqual([[7, 8], undefined, 2]);
    for (const buffer of memtable.all()) if (memtable.dayOf(buffer) === 7) memtable.release(buffer);
    expect([memtable.days(1), changes]).toEqual([[8], 3]);
  });
});
