import type { Value } from '../api-client.ts';

/** What a virtual device measures at a time. The same device and time give the same sample: history and live parts join. */
export type Signal = (timeMs: number) => Record<string, Value>;

export interface DemoType {
  readonly name: string;
  readonly label: string;
  signal(seed: number): Signal;
}

const DAY_MS = 86_400_000;

export const DEMO_TYPES: readonly DemoType[] = [
  { name: 'weather', label: 'Weather station', signal: weatherSignal },
  { name: 'pump', label: 'Pump', signal: pumpSignal },
  { name: 'tracker', label: 'Vehicle tracker', signal: trackerSignal },
];

/** Outdoor air: a day's wave, slower fronts, and sensor noise; humidity runs against temperature. */
function weatherSignal(seed: number): Signal {
  const base = 8 + 10 * noise(seed, 1);
  return (timeMs) => {
    const day = Math.sin(((timeMs % DAY_MS) / DAY_MS) * 2 * Math.PI - 2.2);
    const front = drift(seed, timeMs, 5 * 3_600_000);
    const temperature = base + 6 * day + 4 * front + 0.15 * noise(seed, timeMs);
    const wind = Math.max(0, 4 + 3 * drift(seed + 7, timeMs, 600_000) + 1.2 * noise(seed + 1, timeMs));
    return {
      temperature: round(temperature, 2),
      humidity: round(clamp(70 - 18 * day - 10 * front + 0.6 * noise(seed + 2, timeMs), 5, 100), 1),
      pressure: round(1013 + 9 * drift(seed + 3, timeMs, 11 * 3_600_000), 2),
      wind: round(wind, 1),
    };
  };
}

/** A pump that runs in cycles: speed, power and vibration follow the state; bearings of some are worn. */
function pumpSignal(seed: number): Signal {
  const cycleMs = 900_000 + Math.floor(600_000 * (0.5 + 0.5 * noise(seed, 2)));
  const wear = 0.5 + 0.5 * noise(seed, 3);
  return (timeMs) => {
    const phase = ((timeMs + seed * 97_000) % cycleMs) / cycleMs;
    const state = phase < 0.04 ? 'starting' : phase < 0.72 ? 'running' : phase < 0.75 ? 'stopping' : 'idle';
    const share =
      state === 'starting' ? phase / 0.04 : state === 'running' ? 1 : state === 'stopping' ? (0.75 - phase) / 0.03 : 0;
    return {
      running: state !== 'idle',
      state,
      rpm: Math.round(1480 * share + 4 * share * noise(seed, timeMs)),
      power: round(5.5 * share ** 2 + 0.12 * share * drift(seed, timeMs, 60_000) + 0.05, 3),
      vibration: round(share * (1.1 + 2.4 * wear) + 0.1 * Math.abs(noise(seed + 1, timeMs)), 2),
    };
  };
}

/** A vehicle on a loop around its depot, with stops; the battery falls while it drives and is charged at night. */
function trackerSignal(seed: number): Signal {
  const latitude = 47.4 + 0.3 * noise(seed, 4);
  const longitude = 8.5 + 0.4 * noise(seed, 5);
  const loopMs = 2_400_000 + 600_000 * noise(seed, 6);
  return (timeMs) => {
    const angle = ((timeMs % loopMs) / loopMs) * 2 * Math.PI;
    const speed = Math.max(0, 46 + 30 * drift(seed, timeMs, 90_000) - 25 * Math.max(0, Math.cos(5 * angle)));
    return {
      latitude: round(latitude + 0.03 * Math.sin(angle), 6),
      longitude: round(longitude + 0.045 * Math.cos(angle), 6),
      speed: round(speed, 1),
      battery: round(clamp(62 + 30 * Math.sin(((timeMs % DAY_MS) / DAY_MS) * 2 * Math.PI) + 4 * noise(seed, 8), 4, 100), 1),
      moving: speed > 2,
    };
  };
}

/** -1..1, the same for the same arguments; no pattern to the eye. */
function noise(seed: number, at: number): number {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(Math.floor(at / 1000) ^ (at | 0), 0xc2b2ae35)) >>> 0;
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  return ((state ^ (state >>> 15)) >>> 0) / 2 ** 31 - 1;
}

/** -1..1, smooth over about `scaleMs`: noise at the grid points, joined by a cosine. */
function drift(seed: number, timeMs: number, scaleMs: number): number {
  const step = Math.floor(timeMs / scaleMs);
  const share = (1 - Math.cos(Math.PI * (timeMs / scaleMs - step))) / 2;
  return noise(seed + 101, step) * (1 - share) + noise(seed + 101, step + 1) * share;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
