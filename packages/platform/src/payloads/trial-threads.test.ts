import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { DecoderTrials } from './decoder-trials.ts';
import type { TrialJob } from './trial-job.ts';
import { TrialThreads } from './trial-threads.ts';

let threads: TrialThreads;
beforeEach(() => {
  threads = new TrialThreads({ clock: systemClock });
});
afterEach(async () => {
  await threads[Symbol.asyncDispose]();
});

const sourceOf = (body: string) => `function decode(bytes, context) { ${body} }`;
const jobOf = (source: string): TrialJob => ({
  decoder: { kind: 'declared', declared: { format: { kind: 'script', source }, compression: 'none' } },
  payload: Uint8Array.of(7),
  arrivalMs: 1_790_000_000_000,
  metrics: [{ metric: 't', type: 'number', unit: '°C', max: 5 }],
  type: 'pump',
});
const BAD = {
  'an endless loop': 'for (;;);',
  'a loop that the interpreter does not count': 'return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)',
  'an allocation bomb': 'const all = []; for (;;) all.push("x".repeat(100_000))',
  'a text that doubles': 'let a = "x"; for (;;) a += a',
};

test('a message is read as a device of the type would be read', async () => {
  expect(await threads.try(jobOf(sourceOf('return { t: bytes[0], of: context.type }')))).toEqual({
    points: [
      { metric: 't', value: 7, unit: '°C', outOfRange: true },
      { metric: 'of', value: 'pump' },
    ],
    count: 2,
    unitsKept: [],
  });
});

test.each(Object.entries(BAD))('%s costs whoever tries it an error, and keeps this thread from nothing', async (_, body) => {
  let isOver = false;
  const trial = threads.try(jobOf(sourceOf(body))).finally(() => (isOver = true));
  let turns = 0;
  for (; !isOver; turns += 1) await nextTurn();
  expect(await trial).toMatchObject({ count: 0, error: { code: 'script.over-limit' } });
  expect(turns).toBeGreaterThan(20);
  expect(await threads.try(jobOf(sourceOf('return { v: 1 }')))).toMatchObject({ points: [{ metric: 'v', value: 1 }] });
});

test('a script is looked at where it does no harm', async () => {
  await threads.check(sourceOf('return 1'));
  await expect(threads.check('let = ;')).rejects.toMatchObject({ code: 'script.invalid' });
  await expect(threads.check('for (;;);')).rejects.toMatchObject({ code: 'script.over-limit' });
});

test('a wrong declaration is told as such', async () => {
  const decoder = { kind: 'declared', declared: { format: { kind: 'packed', layout: '>z', fields: [] }, compression: 'none' } };
  await expect(threads.try({ ...jobOf(''), decoder: decoder as TrialJob['decoder'] })).rejects.toMatchObject({
    code: 'request.invalid',
  });
});

test('a few run at a time, some wait for their turn, and more are refused', async () => {
  const many = await Promise.allSettled(
    Array.from({ length: 25 }, async () => await threads.try(jobOf(sourceOf(BAD['an endless loop'])))),
  );
  const refused = many.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(7);
  for (const outcome of refused) expect(outcome).toMatchObject({ reason: { code: 'decoder.busy', retryable: true } });
  expect(many.filter(({ status }) => status === 'fulfilled')).toHaveLength(18);
  expect(await threads.try(jobOf(sourceOf('return { v: 1 }')))).toMatchObject({ count: 1 });
});

test('a thread that does not answer is ended, and the trial has the reason', async () => {
  await using hurried = new TrialThreads({ clock: systemClock, deadlineMs: 1 });
  const trials = new DecoderTrials({
    decoders: { get: async () => Promise.reject(new Error('not asked')), list: async () => [] },
    types: { get: async () => Promise.reject(new Error('not asked')) },
    clock: systemClock,
    trialer: hurried,
  });
  const declared = { format: { kind: 'script', source: sourceOf('return 1') }, compression: 'none' } as const;
  expect(await trials.ofDraft(declared, Uint8Array.of(1))).toMatchObject({
    error: { code: 'script.over-limit', reason: 'reading the message took more time than it may' },
  });
});

test('who waits is told that the server shuts down', async () => {
  const waiting = Array.from({ length: 5 }, async () => await threads.try(jobOf(sourceOf(BAD['an endless loop']))));
  const settled = Promise.allSettled(waiting);
  await threads[Symbol.asyncDispose]();
  const [, , ...others] = await settled;
  expect(others).toHaveLength(3);
  for (const outcome of others) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'thread.gone' } });
  await expect(threads.check('')).rejects.toMatchObject({ code: 'thread.gone' });
});
