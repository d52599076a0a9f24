import { afterAll, expect, test } from 'vitest';
import { ScriptRunner } from './script-runner.ts';

const runner = new ScriptRunner({ hardMs: 20_000, tries: 1 });
afterAll(() => runner[Symbol.dispose]());

const MESSAGE = {
  payload: Uint8Array.of(1, 44, 7),
  device: 'd-1',
  topic: 'telemetry/d-1',
  type: 'pump',
  arrivalMs: 1_790_000_000_123,
};

function decode(body: string, message: Partial<typeof MESSAGE> = {}): unknown {
  const script = runner.script(`function decode(bytes, context) { ${body} }`);
  return JSON.parse(new TextDecoder().decode(runner.call(script, { ...MESSAGE, ...message })));
}

test('a script is given the bytes and what is known of the message, and returns samples', () => {
  expect(decode('return { ts: context.arrivalMs, t: ((bytes[0] << 8) | bytes[1]) / 100, n: bytes.length }')).toEqual({
    ts: 1_790_000_000_123,
    t: 3,
    n: 3,
  });
  expect(decode('return context')).toEqual({ device: 'd-1', topic: 'telemetry/d-1', type: 'pump', arrivalMs: 1_790_000_000_123 });
  expect(decode('return [context.type === undefined, bytes instanceof Uint8Array]', { type: '' })).toEqual([true, true]);
  expect(decode('return String.fromCharCode(...bytes)', { payload: new TextEncoder().encode('plain'), device: 'ä' })).toBe(
    'plain',
  );
});

test('time is that of the message, and there is no chance', () => {
  expect(
    decode('return [Date.now(), new Date().toISOString(), Date.UTC(2026, 0, 1), new Date(5).getTime(), typeof Math.random]'),
  ).toEqual([1_790_000_000_123, '2026-09-21T14:13:20.123Z', 1_767_225_600_000, 5, 'undefined']);
  expect(decode('return [typeof Date(), new Date() instanceof Date, new (new Date(0).constructor)().getTime()]')).toEqual([
    'string',
    true,
    1_790_000_000_123,
  ]);
});

test('many scripts take turns, more than are kept', () => {
  const scripts = Array.from({ length: 40 }, (_, i) => runner.script(`function decode(bytes) { return { v: bytes[0] + ${i} } }`));
  for (let round = 0; round < 3; round++) {
    scripts.forEach((script, i) => {
      expect(new TextDecoder().decode(runner.call(script, MESSAGE))).toBe(`{"v":${1 + i}}`);
    });
  }
});

test.each([
  ['a mistake in the text', 'let = ;', 'script.invalid'],
  ['an error of its own', 'throw new Error("no such mode")', 'script.failed'],
  ['an error of the engine', 'return null.x', 'script.failed'],
  ['nothing returned', '', 'script.failed'],
  ['a promise returned', 'return Promise.resolve(1)', 'script.failed'],
  ['a cycle returned', 'const a = []; a.push(a); return a', 'script.failed'],
  ['an answer that is too long', 'return "x".repeat(300_000)', 'script.over-limit'],
  ['an answer of too many bytes', 'return "\u20ac".repeat(90_000)', 'script.over-limit'],
  ['an endless loop', 'for (;;);', 'script.over-limit'],
  [
    'an endless loop that catches everything',
    'for (;;) { try { for (;;); } catch {} finally { continue } }',
    'script.over-limit',
  ],
  ['an endless loop in toJSON', 'return { toJSON() { for (;;); } }', 'script.over-limit'],
  ['an error that does not end', 'throw { get message() { for (;;); } }', 'script.over-limit'],
  ['recursion', 'return decode()', 'script.over-limit'],
  ['arrays without end', 'const a = []; for (;;) a.push(new Array(1000).fill(1))', 'script.over-limit'],
  ['a text that doubles', 'let a = "x"; for (;;) a += a', 'script.over-limit'],
  ['a huge typed array', 'return new Uint8Array(2 ** 30).length', 'script.over-limit'],
])('%s is told, and the next call finds everything as it should be', (_, body, code) => {
  expect(() => decode(body)).toThrow(expect.objectContaining({ code }));
  expect(decode('return bytes[0]')).toBe(1);
});

test('a mistake is told with its line', () => {
  expect(() => decode('\n\n  return null.x;')).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ line: 3 }) }),
  );
  expect(() => runner.check(runner.script('let a = 1'))).toThrow(/no function decode/);
  expect(() => runner.script('x'.repeat(70_000))).toThrow(expect.objectContaining({ code: 'script.invalid' }));
});

test('what the interpreter does not interrupt by itself is ended, with its thread', () => {
  using other = new ScriptRunner({ hardMs: 1_000 });
  const hangs = other.script('function decode() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }');
  const works = other.script('function decode(bytes) { return bytes[0] }');
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  expect(text(other.call(works, MESSAGE))).toBe('1');
  expect(() => other.call(hangs, MESSAGE)).toThrow(expect.objectContaining({ code: 'script.over-limit' }));
  expect(other.ended).toBe(2);
  expect(text(other.call(works, MESSAGE))).toBe('1');
});

test('what costs much in few steps is stopped by the clock, after a second try', () => {
  expect(() => decode('const a = []; for (;;) a.push(new Array(1000).fill(1))')).toThrow(/took too long/);
  expect(runner.ended).toBe(0);
});

test('the same script and message take the same steps each time, whatever the machine does meanwhile', () => {
  const script = runner.script('function decode(bytes) { let n = 0; for (let i = 0; i < 50_000; i++) n += i; return n }');
  const steps = Array.from({ length: 5 }, () => {
    runner.call(script, MESSAGE);
    return runner.steps;
  });
  expect(Math.max(...steps) - Math.min(...steps)).toBeLessThanOrEqual(1);
  expect(steps[0]).toBeGreaterThan(5);
  const light = runner.script('function decode(bytes) { return bytes[0] }');
  for (let i = 0; i < 100; i++) runner.call(light, MESSAGE);
  expect(runner.steps).toBeLessThanOrEqual(1);
});

test('nothing of the process is there', () => {
  for (const name of 'process require module fetch setTimeout console Buffer WebAssembly Worker std os print'.split(' ')) {
    expect([name, decode(`return typeof globalThis[${JSON.stringify(name)}]`)]).toEqual([name, 'undefined']);
  }
});
