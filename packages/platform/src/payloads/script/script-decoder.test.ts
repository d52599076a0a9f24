import { afterAll, expect, test } from 'vitest';
import { ScriptRunner } from '../../sandbox/script-runner.ts';
import type { PayloadVisitor } from '../payload-decoder.ts';
import { ScriptBudget } from './script-budget.ts';
import { ScriptDecoder } from './script-decoder.ts';

const runner = new ScriptRunner({ hardMs: 20_000 });
afterAll(() => runner[Symbol.dispose]());

const NOW = 1_790_000_000_000;

function decoderOf(body: string, budget = new ScriptBudget()): ScriptDecoder {
  // The clock stands still: what counts here are steps.
  const clock = { monotonicMs: () => 0 };
  return new ScriptDecoder({ runner, source: `function decode(bytes, context) { ${body} }`, type: 'pump', clock, budget });
}

function decode(decoder: ScriptDecoder, bytes: readonly number[] = [1, 2], arrivalMs = NOW) {
  const data = Uint8Array.of(0, ...bytes, 0);
  const samples: unknown[] = [];
  const visitor: PayloadVisitor = {
    numbers: ({ names }, timeMs, values) => samples.push([timeMs, Object.fromEntries(names.map((name, i) => [name, values[i]]))]),
    mixed: ({ names }, timeMs, values) => samples.push([timeMs, Object.fromEntries(names.map((name, i) => [name, values[i]]))]),
    unitKept: () => {},
  };
  const place = { device: 'd', topic: 'telemetry/d', arrivalMs, partition: 0, offset: 0 };
  decoder.decode({ data, start: 1, end: data.length - 1, ...place }, visitor);
  return samples;
}

const failure = (decoder: ScriptDecoder, arrivalMs = NOW): string => {
  try {
    decode(decoder, [1], arrivalMs);
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
};

test('what the function returns is telemetry as if it had been sent', () => {
  expect(decode(decoderOf('return { t: bytes[0] * 10, on: bytes[1] > 1, mode: context.type }'))).toEqual([
    [-1, { t: 10, on: true, mode: 'pump' }],
  ]);
  const several = decoderOf(
    'return [...bytes].map((value, i) => ({ ts: context.arrivalMs - i * 1000, values: { value, none: null } }))',
  );
  expect(decode(several, [7, 8])).toEqual([
    [NOW, { value: 7 }],
    [NOW - 1000, { value: 8 }],
  ]);
  expect(decode(decoderOf('return { broken: NaN, fine: 1 }'))).toEqual([[-1, { fine: 1 }]]);
});

test.each([
  ['return 5', /not a number/],
  ['return { deep: { er: 1 } }', /deep/],
  ['return { ts: context.arrivalMs + 1e12, t: 1 }', /ts|time/i],
  ['return { __proto__x: 1, ["__proto__"]: 2 }', /__proto__/],
  ['throw new Error("no such frame")', /no such frame at line 1/],
])('%s is refused', (body, message) => {
  expect(failure(decoderOf(body))).toMatch(message);
});

test('a script that runs over its limits again and again is left alone for a minute of messages', () => {
  const decoder = decoderOf('if (bytes[0] === 1) for (;;); return { v: 1 }');
  for (let i = 0; i < 3; i++) expect(failure(decoder)).toMatch(/took too long/);
  expect(failure(decoder, NOW + 59_000)).toMatch(/not run for a minute/);
  expect(decode(decoder, [2], NOW + 60_000)).toEqual([[-1, { v: 1 }]]);
  // A clock that was set back does not make more of the minute.
  for (let i = 0; i < 3; i++) failure(decoder, NOW + 70_000);
  expect(decode(decoder, [2], NOW - 3_600_000)).toEqual([[-1, { v: 1 }]]);
});

test('a script may take its share of time and no more: what it costs is counted in steps, so that it is the same each time', () => {
  const slow = 'let n = 0; for (let i = 0; i < 60_000; i++) n += i; return { n }';
  const taken = (): number[] => {
    const decoder = decoderOf(slow, new ScriptBudget({ msPerSecond: 100, burstSeconds: 1 }));
    // A flood: a hundred messages in each of three seconds.
    return [0, 1, 2].map((second) => {
      let read = 0;
      for (let i = 0; i < 100; i++) if (failure(decoder, NOW + second * 1000 + i) === 'none') read++;
      return read;
    });
  };
  const first = taken();
  // Some 3 ms each (12 steps): a second's share is spent after about 30 of them, and again in each second.
  for (const read of first) {
    expect(read).toBeGreaterThan(15);
    expect(read).toBeLessThan(60);
  }
  expect(taken()).toEqual(first);
});

test('a light script has room for thousands of messages a second', () => {
  const budget = new ScriptBudget();
  const decoder = decoderOf('return { v: bytes[0] }', budget);
  for (let i = 0; i < 5_000; i++) decode(decoder, [i & 255], NOW + Math.floor(i / 10));
  expect(budget.refused).toBe(0);
  expect(budget.spentMs / 5_000).toBeLessThan(0.025);
});

test('what took longer than its steps say is charged as it was', () => {
  const budget = new ScriptBudget({ msPerSecond: 100, burstSeconds: 1 });
  budget.spend(1, 20);
  expect(budget.mayRun(NOW)).toBe(true);
  budget.spend(1, 300);
  expect([budget.mayRun(NOW + 1000), budget.mayRun(NOW + 2500)]).toEqual([false, true]);
});
