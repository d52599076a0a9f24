import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { ChildCalls } from './served-child.fixture.ts';
import { ServedProcess } from './served-process.ts';

const MIB = 1024 ** 2;
let served: ServedProcess<ChildCalls>;
function serve(): ServedProcess<ChildCalls> {
  served = new ServedProcess({
    name: 'test',
    script: new URL('./served-child.fixture.ts', import.meta.url),
    start: { a: 1 },
    maxResidentBytes: 400 * MIB,
    callDeadlineMs: 120_000,
    heapMb: 64,
    clock: systemClock,
    logLines: silentLogLines,
  });
  return served;
}
afterEach(async () => await served[Symbol.asyncDispose]());

const answers = async (): Promise<void> =>
  expect(await served.call('echo', Float64Array.of(1, NaN))).toEqual(Float64Array.of(1, NaN));

test('It begins with the first call, answers calls, and has nothing of our environment', async () => {
  expect([serve().pid, served.residentBytes]).toEqual([undefined, 0]);
  await answers();
  expect(await served.call('start', null)).toEqual({ a: 1 });
  await expect(served.call('fail', null)).rejects.toMatchObject({
    code: 'data.corrupt',
    message: 'it is broken',
    details: { path: 'x' },
  });
  const { names, nice, oomScore } = await served.call('environment', null);
  expect(names.filter((name) => !name.startsWith('NODE_CHANNEL'))).toEqual(['TZ']);
  expect([nice, oomScore]).toEqual([10, '1000']);
});

test.each(['crash', 'exit'] as const)(
  'When it ends by itself (%s), all that wait are told, and the next call starts another',
  async (how) => {
    serve();
    const waiting = served.call('never', null);
    waiting.catch(() => undefined);
    await expect(served.call(how, null)).rejects.toMatchObject({ code: 'columnar.gone', retryable: true });
    await expect(waiting).rejects.toMatchObject({ code: 'columnar.gone' });
    await answers();
  },
);

test('A call that takes too long ends it, even one that never gives the processor back', async () => {
  serve();
  await answers();
  const { pid } = served;
  await expect(served.call('spin', null, { deadlineMs: 100 })).rejects.toMatchObject({
    code: 'columnar.over-limit',
    details: { limit: 'time' },
  });
  await answers();
  expect(served.pid).not.toBe(pid);
});

test('More memory than it may have ends it', async () => {
  serve();
  await expect(served.call('allocate', { bytes: 8192 * MIB })).rejects.toMatchObject({
    code: 'columnar.over-limit',
    details: { limit: 'memory' },
  });
  await answers();
});

test('Whoever gives a call up ends it, and is told why', async () => {
  serve();
  await answers();
  const giveUp = new AbortController();
  const waiting = served.call('never', null, { signal: giveUp.signal });
  waiting.catch(() => undefined);
  const { pid } = served;
  giveUp.abort(new Error('no more'));
  await expect(waiting).rejects.toThrow('no more');
  await answers();
  expect(served.pid).not.toBe(pid);
});

test('It is gone once it is disposed of', async () => {
  serve();
  await answers();
  const { pid } = served;
  await served[Symbol.asyncDispose]();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  await expect(served.call('echo', 1)).rejects.toMatchObject({ code: 'columnar.gone' });
});
