/*
 * Claim: a 2-decimal sensor walk at a cadence of 1 s takes at most 0.8 bytes a point, times included, and is encoded at 50M
 * and decoded at 100M points a second.
 *
 * Workload: 64 chunks of 1,024 points of each kind; `median` of 9 rounds.
 */
import { cpus } from 'node:os';
import { decodeChunk, encodeChunk } from '@selsyn/platform/telemetry/codec/chunk-codec.ts';
import type { PointValue } from '@selsyn/platform/telemetry/telemetry-queries.ts';

const CHUNKS = 64;
const POINTS = 1024;
const ROUNDS = 9;
const ROUND_MS = 60;
const START = 1_700_000_000_000;

interface Column {
  readonly times: Float64Array;
  readonly values: Float64Array | PointValue[];
}

const integer = (low: number, high: number): number => low + Math.floor(Math.random() * (high - low + 1));
const everySecond = (): Float64Array => Float64Array.from({ length: POINTS }, (_, i) => START + i * 1000);
const jittered = (): Float64Array => everySecond().map((time) => time + integer(-20, 20));
function walk(step: () => number, scale: number): Float64Array {
  let value = integer(1500, 3000);
  return Float64Array.from({ length: POINTS }, () => (value += step()) / scale);
}
const texts = ['idle', 'starting', 'running', 'stopping', 'fault'];

const kinds: Record<string, () => Column> = {
  'walk, 2 decimals': () => ({ times: everySecond(), values: walk(() => integer(-5, 5), 100) }),
  'walk, jittered times': () => ({ times: jittered(), values: walk(() => integer(-5, 5), 100) }),
  'noise, 1 decimal': () => ({
    times: everySecond(),
    values: Float64Array.from({ length: POINTS }, () => integer(200, 260) / 10),
  }),
  'walk with spikes': () => ({
    times: everySecond(),
    values: walk(() => integer(-5, 5), 100).map((value) => (Math.random() < 0.01 ? value + 10_000 : value)),
  }),
  'counter, integers': () => ({ times: everySecond(), values: walk(() => integer(3, 9), 1) }),
  constant: () => ({ times: everySecond(), values: new Float64Array(POINTS).fill(23.51) }),
  'true doubles, sine': () => {
    const phase = Math.random();
    return { times: everySecond(), values: Float64Array.from({ length: POINTS }, (_, i) => 20 + 5 * Math.sin(i / 100 + phase)) };
  },
  'true doubles, of float32': () => ({
    times: everySecond(),
    values: walk(() => integer(-5, 5), 100).map((value) => Math.fround(value)),
  }),
  'booleans, random': () => ({ times: everySecond(), values: Array.from({ length: POINTS }, () => Math.random() < 0.5) }),
  'booleans, rare changes': () => ({ times: everySecond(), values: Array.from({ length: POINTS }, (_, i) => i % 300 > 280) }),
  'text, five states': () => ({ times: everySecond(), values: Array.from({ length: POINTS }, () => texts[integer(0, 4)]!) }),
};

/** Median points/s in millions. */
function measure(run: () => void): number {
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS + 2; i++) {
    const start = performance.now();
    let done = 0;
    let now = start;
    while (now - start < ROUND_MS) {
      run();
      done += CHUNKS * POINTS;
      now = performance.now();
    }
    if (i >= 2) rounds.push(done / 1000 / (now - start));
  }
  return rounds.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
}

let sink = 0;
const results = Object.entries(kinds).map(([kind, make]) => {
  const columns = Array.from({ length: CHUNKS }, make);
  const chunks = columns.map(({ times, values }) => encodeChunk(times, values, POINTS));
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const encode = measure(() => {
    for (const { times, values } of columns) sink += encodeChunk(times, values, POINTS).length;
  });
  const decode = measure(() => {
    for (const chunk of chunks) sink += decodeChunk(chunk).count;
  });
  return {
    kind,
    bytesPerPoint: Number((bytes / CHUNKS / POINTS).toFixed(3)),
    encodeMpoints: Number(encode.toFixed(1)),
    decodeMpoints: Number(decode.toFixed(1)),
  };
});

console.log(
  JSON.stringify({ bench: 'chunk-codec', node: process.version, cpu: cpus()[0]?.model, checked: sink > 0, results }, null, 2),
);
