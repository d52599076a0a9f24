import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { Sandbox } from './sandbox.ts';

/** Time that only passes while scripts are interrupted by it: each look at it is a tenth of a millisecond. */
function steppingClock(): { monotonicMs(): number } {
  let ms = 0;
  return { monotonicMs: () => (ms += 0.1) };
}

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox({ clock: steppingClock() });
});
afterAll(async () => await sandbox[Symbol.asyncDispose]());

const run = async (source: string, input: unknown = null): Promise<unknown> =>
  await sandbox.call({ source, functionName: 'run' }, input);

test('a function is given JSON and returns JSON', async () => {
  expect(await run('function run({ a }) { return { sum: a[0] + a[1], none: null } }', { a: [1, 2] })).toEqual({
    sum: 3,
    none: null,
  });
  expect(await run('const run = (text) => text.toUpperCase()', 'aä\u{1F600}\0')).toBe('AÄ\u{1F600}\0');
  expect(await run('function run() { return null }')).toBeNull();
});

test('the same script is called many times, and each call sees its own input', async () => {
  const source = 'function run(n) { return n * 2 }';
  for (let n = 0; n < 50; n++) expect(await run(source, n)).toBe(n * 2);
});

test('more scripts than are kept loaded take turns', async () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 40; i++) expect(await run(`function run(n) { return n + ${i} }`, 1)).toBe(1 + i);
  }
});

test.each([
  ['a mistake in the text', 'function run() {\n  let = ;\n}', 'script.invalid', 2],
  ['an error while it is loaded', '\nnull.x', 'script.invalid', 2],
  ['an error of the engine', 'function run() {\n\n  return null.x;\n}', 'script.failed', 3],
  ['an error of its own', 'function run() {\n  throw new Error("no such mode")\n}', 'script.failed', 2],
])('%s is told with its line', async (_, source, code, line) => {
  await expect(run(source)).rejects.toMatchObject({
    code,
    details: { line },
    message: expect.stringContaining(`at line ${line}`),
  });
});

test.each([
  ['no function', 'let a = 1', 'script.invalid', 'no function run'],
  ['something else of that name', 'const run = 1', 'script.invalid', 'no function run'],
  ['nothing returned', 'function run() {}', 'script.failed', 'returned nothing'],
  ['a function returned', 'function run() { return run }', 'script.failed', 'JSON cannot hold'],
  ['a cycle returned', 'function run() { const a = []; a.push(a); return a }', 'script.failed', 'ircular'],
  ['a big integer returned', 'function run() { return 1n }', 'script.failed', 'BigInt'],
  ['a promise returned', 'async function run() { return 1 }', 'script.failed', 'promise'],
  ['a text thrown', 'function run() { throw "stop" }', 'script.failed', 'stop'],
  ['nothing thrown', 'function run() { throw undefined }', 'script.failed', 'undefined'],
  ['an object thrown', 'function run() { throw { a: 1 } }', 'script.failed', '{"a":1}'],
  ['a symbol thrown', 'function run() { throw Symbol("x") }', 'script.failed', 'Symbol(x)'],
  [
    'an error that cannot be read',
    'function run() { throw { get message() { throw 1 } } }',
    'script.over-limit',
    'cannot be shown',
  ],
  [
    'an error that does not end',
    'function run() { throw { get message() { for (;;); } } }',
    'script.over-limit',
    'cannot be shown',
  ],
])('%s', async (_, source, code, message) => {
  await expect(run(source)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test.each([
  ['an endless loop', 'for (;;);'],
  ['an endless loop that catches everything', 'for (;;) { try { for (;;); } catch {} finally { continue } }'],
  ['an endless loop in a getter of what is returned', 'return { get a() { for (;;); } }'],
  ['an endless loop in toJSON', 'return { toJSON() { for (;;); } }'],
  ['an endless loop in a conversion', 'return "" + { toString() { for (;;); } }'],
  ['a proxy that never ends', 'return new Proxy({}, { ownKeys() { for (;;); } })'],
  ['a generator without end', 'return [...(function* () { for (;;) yield 1 })()]'],
  ['recursion', 'return run()'],
  ['recursion through getters', 'const a = { get b() { return a.b } }; return a.b'],
  ['an answer that is deep', 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a'],
  ['arrays without end', 'const a = []; for (;;) a.push(new Array(1000).fill(1))'],
  ['a text that doubles', 'let a = "x"; for (;;) a += a'],
  ['a huge text', 'return "x".repeat(2 ** 29)'],
  ['a text of many megabytes', 'return "x".repeat(2 ** 22)'],
  ['a huge typed array', 'return new Uint8Array(2 ** 30).length'],
  ['a regular expression that goes back for ever', 'return /^(a+)+$/.test("a".repeat(60) + "b")'],
  ['JSON of a long array', 'return JSON.stringify(new Array(1e8)).length'],
  ['an answer that is too long', 'return "x".repeat(70_000)'],
  ['an answer of too many bytes', 'return "ä".repeat(40_000)'],
])('%s is stopped, and the next call finds everything as it should be', async (_, body) => {
  await expect(run(`function run() { ${body} }`)).rejects.toMatchObject({
    code: expect.stringMatching(/^script\.(over-limit|failed)$/),
  });
  expect(await run('function run(n) { return n + 1 }', 1)).toBe(2);
});

test.each([
  ['a search in an endless array', 'return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'],
  ['turning an endless array round', 'return Array.prototype.reverse.call({ length: 2 ** 53 - 1 })'],
  ['joining an endless array', 'return new Array(2 ** 32 - 1).join("")'],
])('%s, which the engine does not interrupt by itself, is stopped too', async (_, body) => {
  await using other = new Sandbox({ clock: steppingClock(), limits: { timeMs: 250 } });
  const call = async (source: string) => await other.call({ source, functionName: 'run' }, 1);
  expect(await call('function run(n) { return n }')).toBe(1);
  await expect(call(`function run() { ${body} }`)).rejects.toMatchObject({ code: 'script.over-limit' });
  const both = [
    call('function run(n) { return n }'),
    call(`function run() { ${body} }`),
    call('function run(n) { return n + 1 }'),
  ];
  expect(await Promise.allSettled(both)).toMatchObject([{ value: 1 }, { status: 'rejected' }, { value: 2 }]);
});

test('what is thrown away after a limit begins anew', async () => {
  const source = 'let calls = 0; function run(loop) { calls++; if (loop) for (;;); return calls }';
  expect(await run(source, false)).toBe(1);
  expect(await run(source, false)).toBe(2);
  await expect(run(source, true)).rejects.toMatchObject({ code: 'script.over-limit' });
  expect(await run(source, false)).toBe(1);
});

test('a promise that would run later never does', async () => {
  const source = 'let n = 0; function run() { const next = () => { n++; Promise.resolve().then(next) }; next(); return n }';
  for (let i = 0; i < 3; i++) expect(await run(source)).toBe(1);
});

test('nothing of the process is there', async () => {
  const names =
    'process require module global globalThis.process fetch setTimeout console Buffer WebAssembly Worker navigator std os ' +
    'scriptArgs print Date Math.random performance import.meta';
  for (const name of names.split(' ')) {
    const source = `function run() { return typeof eval(${JSON.stringify(`(() => { try { return ${name} } catch { return undefined } })()`)}) }`;
    const found = await run(source).catch((error: unknown) => (error as Error).message);
    if (name === 'import.meta') expect(found).toMatch(/SyntaxError|undefined/);
    else expect([name, found]).toEqual([name, 'undefined']);
  }
  await expect(run('import fs from "node:fs"; function run() { return 1 }')).rejects.toMatchObject({ code: 'script.invalid' });
  expect(await run('function run() { return typeof this.constructor.constructor("return this.process")() }')).toBe('undefined');
});

test('what a script does to the language is only its own', async () => {
  const evil = `
    JSON.stringify = () => '"stolen"'; JSON.parse = () => { throw 1 };
    Object.prototype.polluted = 1; Array.prototype.map = null;
    Object.defineProperty(Object.prototype, 'toJSON', { value() { return 'changed' } });
    Promise = class {}; String = null; Reflect.apply = null;
    function run(input) { return { input } }`;
  expect(await run(evil, 1)).toBe('changed');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect(await run('function run() { return [({}).polluted === undefined, [1].map((n) => n + 1)] }')).toEqual([true, [2]]);
});

test('an object of any shape comes out as plain data', async () => {
  const answer = await run('function run() { return JSON.parse(\'{"__proto__": {"admin": true}, "constructor": 1}\') }');
  expect(Object.keys(answer as object)).toEqual(['__proto__', 'constructor']);
  expect((answer as { admin?: boolean }).admin).toBeUndefined();
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

test('what is given and what is kept have limits', async () => {
  await expect(run('function run() { return 1 }', 'x'.repeat(300_000))).rejects.toMatchObject({ code: 'script.over-limit' });
  const long = `function run() { return 1 } // ${'x'.repeat(40_000)}`;
  await expect(run(long)).rejects.toMatchObject({ code: 'script.invalid' });
  await expect(sandbox.check({ source: long, functionName: 'run' })).rejects.toMatchObject({ code: 'script.invalid' });
});

test('a script is checked without being called', async () => {
  await sandbox.check({ source: 'function run() { throw 1 }', functionName: 'run' });
  await expect(sandbox.check({ source: 'function ran() {}', functionName: 'run' })).rejects.toMatchObject({
    code: 'script.invalid',
  });
  await expect(sandbox.check({ source: 'for (;;);', functionName: 'run' })).rejects.toMatchObject({ code: 'script.over-limit' });
});

test('a script that runs over its limits again and again is left alone for a minute', async () => {
  const clock = new FakeClock(0);
  await using other = new Sandbox({ clock });
  const call = async (n: number) =>
    await other.call({ source: 'function run(n) { if (n) new Uint8Array(2 ** 30); return n }', functionName: 'run' }, n);
  for (let i = 0; i < 3; i++) await expect(call(1)).rejects.toThrow('too much memory');
  await expect(call(0)).rejects.toThrow('not run for a minute');
  clock.advance(60_001);
  expect(await call(0)).toBe(0);
  await expect(call(1)).rejects.toThrow('too much memory');
});
