import { describe, expect, test } from 'vitest';
import { DEMO_TYPES } from './signals.ts';

const START = Date.UTC(2026, 5, 1);
const DAY = Array.from({ length: 1440 }, (_, minute) => START + minute * 60_000);

/** What a person would believe of such a device. */
const BELIEVABLE: Readonly<Record<string, readonly [min: number, max: number]>> = {
  temperature: [-20, 40],
  humidity: [5, 100],
  pressure: [1000, 1026],
  wind: [0, 12],
  rpm: [0, 1500],
  power: [0, 6],
  vibration: [0, 5],
  latitude: [46, 49],
  longitude: [7, 10],
  speed: [0, 90],
  battery: [4, 100],
};

describe.each(DEMO_TYPES)('$name', ({ signal }) => {
  test('the same device and time give the same sample, another device another', () => {
    expect(signal(3)(START)).toEqual(signal(3)(START));
    expect(signal(3)(START)).not.toEqual(signal(4)(START));
  });

  test('every number of a day is finite, short and believable, for many devices', () => {
    for (const seed of [1, 2, 17, 50, 999]) {
      const of = signal(seed);
      for (const timeMs of DAY) {
        for (const [metric, value] of Object.entries(of(timeMs))) {
          if (typeof value !== 'number') continue;
          const [min, max] = BELIEVABLE[metric] ?? [0, 0];
          if (!(value >= min && value <= max) || String(value).length > 10) throw new Error(`${metric} is ${value} for ${seed}`);
        }
      }
    }
  });

  test('no numeric metric stands still all day', () => {
    const of = signal(5);
    for (const metric of Object.keys(of(START))) expect(new Set(DAY.map((timeMs) => of(timeMs)[metric])).size).toBeGreaterThan(1);
  });
});

test('a pump runs when its state says so', () => {
  const pump = DEMO_TYPES.find(({ name }) => name === 'pump')?.signal(1);
  const seen = new Set<unknown>();
  for (let timeMs = START; timeMs < START + 3_600_000; timeMs += 1000) {
    const sample = pump?.(timeMs) ?? {};
    seen.add(sample['state']);
    expect(sample['running']).toBe(sample['state'] !== 'idle');
    if (sample['state'] === 'running') expect(sample['rpm']).toBeGreaterThan(1400);
  }
  expect(seen).toEqual(new Set(['idle', 'running', 'starting', 'stopping']));
});
