import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestJobs } from './jobs.fixture.ts';

const MINUTE_MS = 60_000;

describe('an execution in progress', () => {
  let folder: string;
  let jobs: TestJobs;
  let job: number;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selsyn-job-timers-'));
    jobs = await TestJobs.open({ path: join(folder, 'state.db') });
    job = await jobs.addJob('j1', { timeoutMs: 10 * MINUTE_MS });
    await jobs.queue(job, 'a', 'b', 'c');
  });
  afterEach(async () => {
    await jobs[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Lets time pass, and what is over be written. */
  const pass = async (minutes: number) => {
    jobs.clock.advance(minutes * MINUTE_MS);
    await jobs.step(async () => {});
    await jobs.step(async () => {});
  };
  const status = async (device: string) => (await jobs.store.get(job, device)).status;
  const causeOf = async (device: string) => (await jobs.store.history(await jobs.store.get(job, device))).at(-1)?.cause;

  test('times out by the rule of its job, which progress does not move', async () => {
    await jobs.ask('a', 'start-next');
    await pass(5);
    await jobs.ask('a', 'j1/update', { status: 'IN_PROGRESS', stepTimeoutInMinutes: 100 });
    await pass(4.9);
    expect(await status('a')).toBe('IN_PROGRESS');
    jobs.take();
    await pass(0.1);
    expect(await status('a')).toBe('TIMED_OUT');
    expect(await causeOf('a')).toBe('timeout');
    expect(jobs.take().map(({ topic }) => topic)).toEqual(['$aws/things/a/jobs/notify', '$aws/things/a/jobs/notify-next']);
    expect((await jobs.ask('a', 'j1/update', { status: 'SUCCEEDED' })).answer.body['code']).toBe('InvalidStateTransition');
  });

  test('times out soon after the clock was put forward', async () => {
    await jobs.ask('a', 'start-next');
    jobs.clock.step(10 * MINUTE_MS);
    await pass(1);
    expect(await status('a')).toBe('TIMED_OUT');
  });

  test('says how long it has', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 3 });
    await pass(1);
    expect((await jobs.ask('a', 'j1/get')).answer.body).toMatchObject({ execution: { approximateSecondsBeforeTimedOut: 120 } });
    await jobs.ask('a', 'j1/update', { status: 'IN_PROGRESS', stepTimeoutInMinutes: -1 });
    expect((await jobs.ask('a', 'j1/get')).answer.body).toMatchObject({ execution: { approximateSecondsBeforeTimedOut: 540 } });
  });

  test('times out by its step timer, which the device moves on and takes away', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 2 });
    await jobs.ask('b', 'start-next', { stepTimeoutInMinutes: 2 });
    await jobs.ask('c', 'start-next', { stepTimeoutInMinutes: 2 });
    await pass(1);
    await jobs.ask('b', 'j1/update', { status: 'IN_PROGRESS', stepTimeoutInMinutes: 3 });
    await jobs.ask('c', 'j1/update', { status: 'IN_PROGRESS', stepTimeoutInMinutes: -1 });
    await pass(1);
    expect([await status('a'), await status('b'), await status('c')]).toEqual(['TIMED_OUT', 'IN_PROGRESS', 'IN_PROGRESS']);
    expect(await causeOf('a')).toBe('step-timeout');
    await pass(2);
    expect([await status('b'), await status('c')]).toEqual(['TIMED_OUT', 'IN_PROGRESS']);
    await pass(6);
    expect(await causeOf('c')).toBe('timeout');
  });

  test('has its step timer set again by start-next, with its version as it was', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 2 });
    await pass(1);
    const { answer } = await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 5 });
    expect(answer.body).toMatchObject({ execution: { versionNumber: 2, approximateSecondsBeforeTimedOut: 300 } });
    await pass(4);
    expect(await status('a')).toBe('IN_PROGRESS');
    await pass(1);
    expect(await status('a')).toBe('TIMED_OUT');
  });

  test('times out after a restart, at its time or at once where that is over', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 2 });
    await jobs.ask('b', 'start-next', { stepTimeoutInMinutes: 5 });
    const { clock } = jobs;
    await jobs[Symbol.asyncDispose]();
    clock.advance(3 * MINUTE_MS);
    jobs = await TestJobs.open({ path: join(folder, 'state.db'), clock });
    expect([await status('a'), await status('b')]).toEqual(['TIMED_OUT', 'IN_PROGRESS']);
    await pass(2);
    expect(await status('b')).toBe('TIMED_OUT');
  });

  test('has no timer any more once it has ended', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 2 });
    await jobs.ask('a', 'j1/update', { status: 'SUCCEEDED' });
    await jobs.ask('b', 'start-next');
    await jobs.step((batch) => jobs.executions.cancelAll(job, { force: true, cause: 'cancel', limit: 10 }, batch));
    expect(await jobs.database.selectFrom('job_timer').selectAll().execute()).toEqual([]);
    await pass(20);
    expect([await status('a'), await status('b')]).toEqual(['SUCCEEDED', 'CANCELED']);
  });

  test('of which very many are over at once times out in steps', async () => {
    const devices = Array.from({ length: 1_200 }, (_, index) => `d${index}`);
    await jobs.queue(job, ...devices);
    await Promise.all(
      devices.map((device) => jobs.domain.ask({ operation: 'start-next', device, details: undefined, stepTimeoutMs: undefined })),
    );
    await pass(10);
    for (let round = 0; round < 5; round++) await jobs.step(async () => {});
    expect(await jobs.store.counts(job)).toMatchObject({ IN_PROGRESS: 0, TIMED_OUT: 1_200 });
  });

  test('waits on where the clock was set back', async () => {
    await jobs.ask('a', 'start-next', { stepTimeoutInMinutes: 2 });
    jobs.clock.step(-5 * MINUTE_MS);
    await pass(2);
    expect(await status('a')).toBe('IN_PROGRESS');
    await pass(5);
    expect(await status('a')).toBe('TIMED_OUT');
  });
});
