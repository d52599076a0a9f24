/*
 * Claim: a telemetry payload of three metrics is decoded in 150 ns, where JSON.parse of its text alone takes several times that.
 *
 * Workload: 1,024 payloads of each kind with other numbers, one behind the other in one buffer, as a log segment holds them;
 * `median` of 9 rounds. `jsonParse` is what the same job costs with TextDecoder, JSON.parse and Object.keys.
 */
import { cpus } from 'node:os';
import { ShapeHint, TelemetryPayloadDecoder, type SampleVisitor } from '@selsyn/wire/payload/telemetry-payload.ts';

const PAYLOADS = 1024;
const ROUNDS = 9;
const ROUND_MS = 60;
const ARRIVAL = 1_700_000_100_000;

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
const number = (low: number, high: number, digits: number): number => round(low + Math.random() * (high - low), digits);
const three = (): Record<string, number> => ({
  temperature: number(15, 30, 2),
  humidity: number(30, 60, 1),
  pressure: number(1000, 1030, 2),
});
const kinds: Record<string, (i: number) => unknown> = {
  'three metrics': three,
  'three metrics, ts': (i) => ({ ts: ARRIVAL - i, ...three() }),
  'three metrics, ts and values': (i) => ({ ts: ARRIVAL - i, values: three() }),
  'three true doubles': () => ({
    temperature: Math.random() * 30,
    humidity: Math.random() * 60,
    pressure: 1000 + Math.random() * 30,
  }),
  'eight types of device in turn': (i) => ({ ...three(), [`metric${i % 8}`]: number(0, 100, 1) }),
  'twenty metrics': () => Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`metric_${i}`, number(0, 1000, 2)])),
  'array of ten samples': (i) => Array.from({ length: 10 }, (_, j) => ({ ts: ARRIVAL - 10 * i - j, ...three() })),
  'numbers, a boolean and a text': () => ({
    ...three(),
    door: Math.random() < 0.5,
    state: Math.random() < 0.5 ? 'idle' : 'running',
  }),
};

let sink = 0;
const visitor: SampleVisitor = {
  numbers(shape, timeMs, values) {
    sink += timeMs + values[shape.names.length - 1]!;
  },
  mixed(shape, timeMs, values) {
    sink += timeMs + shape.names.length + values.length;
  },
};

/** Median ns for each call. */
function measure(run: () => void, calls: number): number {
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS + 2; i++) {
    const start = performance.now();
    let done = 0;
    let now = start;
    while (now - start < ROUND_MS) {
      run();
      done += calls;
      now = performance.now();
    }
    if (i >= 2) rounds.push(((now - start) * 1e6) / done);
  }
  return rounds.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
}

const results = Object.entries(kinds).map(([kind, make]) => {
  const texts = Array.from({ length: PAYLOADS }, (_, i) => new TextEncoder().encode(JSON.stringify(make(i))));
  const starts = [0];
  for (const text of texts) starts.push(starts.at(-1)! + text.length);
  const data = new Uint8Array(starts.at(-1)!);
  texts.forEach((text, i) => data.set(text, starts[i]));
  const decoder = new TelemetryPayloadDecoder();
  const hints = texts.map(() => new ShapeHint());
  const utf8 = new TextDecoder();
  const ns = measure(() => {
    for (let i = 0; i < PAYLOADS; i++) decoder.decode(data, starts[i]!, starts[i + 1]!, ARRIVAL, visitor, hints[i]);
  }, PAYLOADS);
  const withoutHintNs = measure(() => {
    for (let i = 0; i < PAYLOADS; i++) decoder.decode(data, starts[i]!, starts[i + 1]!, ARRIVAL, visitor);
  }, PAYLOADS);
  const jsonParseNs = measure(() => {
    for (let i = 0; i < PAYLOADS; i++) {
      const parsed = JSON.parse(utf8.decode(data.subarray(starts[i], starts[i + 1]))) as Record<string, unknown>;
      sink += Object.keys(parsed).length;
    }
  }, PAYLOADS);
  return {
    kind,
    bytes: Math.round(data.length / PAYLOADS),
    ns: round(ns, 0),
    withoutHintNs: round(withoutHintNs, 0),
    jsonParseNs: round(jsonParseNs, 0),
    ratio: round(jsonParseNs / ns, 1),
  };
});

console.log(
  JSON.stringify(
    { bench: 'telemetry-payload', node: process.version, cpu: cpus()[0]?.model, checked: Number.isFinite(sink), results },
    null,
    2,
  ),
);
