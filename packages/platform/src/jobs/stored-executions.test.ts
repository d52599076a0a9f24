import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isSelsynError } from '../kernel/errors.ts';
import type { Batch } from '../state/batch.ts';
import type { ExecutionChange } from './executions.ts';
import { TestJobs } from './jobs.fixture.ts';

describe('executions', () => {
  let jobs: TestJobs;
  let job: number;
  beforeEach(async () => {
    jobs = await TestJobs.open();
    job = await jobs.addJob('j1');
  });
  afterEach(async () => {
    await jobs[Symbol.asyncDispose]();
  });

  const cancel = (device: string, force: boolean, expectedVersion?: number) =>
    jobs.step((batch) => jobs.executions.cancel(job, device, { force, expectedVersion }, batch));
  const cancelAll = (force: boolean, limit = 100) =>
    jobs.step((batch) => jobs.executions.cancelAll(job, { force, cause: 'abort', limit }, batch));
  const again = (device: string, attempt: number) =>
    jobs.step((batch) => jobs.executions.add(job, [{ device, attempt }], batch, { again: true }));

  test('are queued once for a device, however often the step is done', async () => {
    expect(await jobs.queue(job, 'a', 'b')).toBe(2);
    expect(await jobs.queue(job, 'b', 'c')).toBe(1);
    await jobs.ask('a', 'j1/update', { status: 'FAILED' });
    expect(await jobs.queue(job, 'a', 'b', 'c')).toBe(0);
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 2, FAILED: 1 });
  });

  test('are queued again only once the one before has ended, and count in its place', async () => {
    await jobs.queue(job, 'a');
    expect(await again('a', 1)).toBe(0);
    await jobs.ask('a', 'j1/update', { status: 'FAILED' });
    expect(await again('a', 1)).toBe(1);
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 1, FAILED: 0 });
    expect(await jobs.store.get(job, 'a')).toMatchObject({ number: 2, attempt: 1, status: 'QUEUED', version: 1 });
    expect(await jobs.store.get(job, 'a', 1)).toMatchObject({ number: 1, attempt: 0, status: 'FAILED' });
    expect((await jobs.ask('a', 'j1/get', { executionNumber: 1 })).answer.body['code']).toBe('TerminalStateReached');
    expect((await jobs.ask('a', 'j1/update', { status: 'FAILED', executionNumber: 1 })).answer.body['code']).toBe(
      'InvalidStateTransition',
    );
    expect((await jobs.ask('a', 'j1/get')).answer.body).toMatchObject({ execution: { executionNumber: 2 } });
  });

  test('are cancelled in steps: those that are queued, and by force also those in progress', async () => {
    await jobs.queue(job, 'a', 'b', 'c', 'd');
    await jobs.ask('b', 'start-next');
    expect(await cancelAll(false, 2)).toBe(2);
    expect(await cancelAll(false, 2)).toBe(1);
    expect(await cancelAll(false, 2)).toBe(0);
    expect(await jobs.store.counts(job)).toMatchObject({ IN_PROGRESS: 1, CANCELED: 3 });
    jobs.take();
    expect(await cancelAll(true)).toBe(1);
    expect(jobs.take().map(({ topic }) => topic)).toEqual(['$aws/things/b/jobs/notify', '$aws/things/b/jobs/notify-next']);
    const ended = await jobs.store.get(job, 'b');
    expect((await jobs.store.history(ended)).at(-1)).toMatchObject({ status: 'CANCELED', cause: 'abort' });
  });

  test('of one device are cancelled where nothing speaks against it', async () => {
    await jobs.queue(job, 'a', 'b');
    await jobs.ask('a', 'start-next');
    await expect(cancel('x', false)).rejects.toSatisfy((error) => isSelsynError(error, 'job-execution.not-found'));
    await expect(cancel('a', false)).rejects.toMatchObject({
      code: 'job-execution.conflict',
      details: { status: 'IN_PROGRESS', version: 2 },
    });
    await expect(cancel('a', true, 1)).rejects.toMatchObject({ code: 'job-execution.conflict' });
    await cancel('a', true, 2);
    await cancel('b', false);
    await expect(cancel('b', true)).rejects.toMatchObject({ code: 'job-execution.conflict', details: { status: 'CANCELED' } });
  });

  test('become REMOVED where the device is no target any more', async () => {
    await jobs.queue(job, 'a', 'b');
    expect(await jobs.step((batch) => jobs.executions.remove(job, ['a', 'x'], batch))).toBe(1);
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 1, REMOVED: 1 });
  });

  test('are deleted in steps, with all that belongs to them', async () => {
    const other = await jobs.addJob('j2', { timeoutMs: 1000 });
    await jobs.queue(job, 'a', 'b', 'c');
    await jobs.queue(other, 'a');
    await jobs.ask('a', 'j2/update', { status: 'IN_PROGRESS' });
    await jobs.ask('a', 'j1/update', { status: 'IN_PROGRESS', stepTimeoutInMinutes: 1 });
    const deleteSome = () => jobs.step((batch) => jobs.executions.deleteAll(job, 2, batch));
    expect(await deleteSome()).toBe(2);
    expect(await deleteSome()).toBe(1);
    for (const table of ['job_execution', 'job_execution_event', 'job_timer', 'job_count'] as const) {
      const left = await jobs.database.selectFrom(table).select('job').execute();
      expect([...new Set(left.map((row) => Number(row.job)))]).toEqual([other]);
    }
  });

  test('are paged by device, all of them or those of a status', async () => {
    const devices = Array.from({ length: 7 }, (_, index) => `d${index}`);
    await jobs.queue(job, ...devices);
    await jobs.ask('d3', 'j1/update', { status: 'FAILED' });
    await again('d3', 1);
    await jobs.ask('d5', 'j1/update', { status: 'SUCCEEDED' });
    const all = async (status?: 'QUEUED' | 'SUCCEEDED') => {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await jobs.store.ofJob({ job, status, limit: 2, cursor });
        expect(page.items.length).toBeLessThanOrEqual(2);
        found.push(...page.items.map(({ device, number }) => `${device} ${number}`));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return found;
    };
    expect(await all()).toEqual(['d0 1', 'd1 1', 'd2 1', 'd3 1', 'd3 2', 'd4 1', 'd5 1', 'd6 1']);
    expect(await all('QUEUED')).toEqual(['d0 1', 'd1 1', 'd2 1', 'd3 2', 'd4 1', 'd6 1']);
    expect(await all('SUCCEEDED')).toEqual(['d5 1']);
    await expect(jobs.store.ofJob({ job, limit: 2, cursor: 'eA' })).rejects.toMatchObject({ code: 'request.invalid' });
  });

  test('of a device are paged, the latest queued first', async () => {
    for (let number = 2; number <= 6; number++) {
      if (number % 2 === 0) jobs.clock.advance(1000);
      await jobs.queue(await jobs.addJob(`j${number}`), 'a');
    }
    await jobs.ask('a', 'j4/update', { status: 'SUCCEEDED' });
    const first = await jobs.store.ofDevice({ device: 'a', limit: 3 });
    expect(first.items.map(({ jobId }) => jobId)).toEqual(['j6', 'j5', 'j4']);
    const second = await jobs.store.ofDevice({ device: 'a', limit: 3, cursor: first.cursor });
    expect(second.items.map(({ jobId }) => jobId)).toEqual(['j3', 'j2']);
    expect(second.cursor).toBeUndefined();
    const pending = await jobs.store.ofDevice({ device: 'a', limit: 9, statuses: ['QUEUED', 'IN_PROGRESS'] });
    expect(pending.items.map(({ jobId }) => jobId)).toEqual(['j6', 'j5', 'j3', 'j2']);
    await jobs.ask('a', 'j5/update', { status: 'IN_PROGRESS' });
    const lists = await jobs.store.pendingOf(['a', 'b'], 2);
    expect([...lists].map(([device, items]) => [device, items.map(({ jobId }) => jobId)])).toEqual([
      ['a', ['j5', 'j2']],
      ['b', []],
    ]);
  });

  test('are reported in their order to whoever follows, who may queue more of them in the same batch', async () => {
    const changes: ExecutionChange[] = [];
    jobs.executions.follow({
      executionsChanged: async (some, batch) => {
        changes.push(...some);
        for (const { to, device, attempt } of some)
          if (to === 'FAILED') await jobs.executions.add(job, [{ device, attempt: attempt + 1 }], batch, { again: true });
      },
    });
    await jobs.queue(job, 'a');
    await jobs.ask('a', 'start-next');
    await jobs.ask('a', 'j1/update', { status: 'IN_PROGRESS' });
    const { others } = await jobs.ask('a', 'j1/update', { status: 'FAILED' });
    const of = { job, device: 'a' };
    expect(changes).toEqual([
      { ...of, number: 1, attempt: 0, from: undefined, to: 'QUEUED', cause: undefined },
      { ...of, number: 1, attempt: 0, from: 'QUEUED', to: 'IN_PROGRESS', cause: 'device' },
      { ...of, number: 1, attempt: 0, from: 'IN_PROGRESS', to: 'FAILED', cause: 'device' },
      { ...of, number: 2, attempt: 1, from: undefined, to: 'QUEUED', cause: undefined },
    ]);
    expect(others.at(-1)).toMatchObject({ body: { execution: { jobId: 'j1', executionNumber: 2, status: 'QUEUED' } } });
  });

  test('of a job whose batch failed leave nothing behind for the one that gets its number', async () => {
    const insert = async (id: string, batch: Batch): Promise<number> => {
      const row = await batch.transaction.selectFrom('job').selectAll().where('id', '=', 'j1').executeTakeFirstOrThrow();
      const { number: _number, ...rest } = row;
      const { number } = await batch.transaction
        .insertInto('job')
        .values({ ...rest, id, document: JSON.stringify({ of: id }) })
        .returning('number')
        .executeTakeFirstOrThrow();
      return Number(number);
    };
    const create = (id: string, fails: boolean) =>
      jobs.step(async (batch) => {
        const number = await insert(id, batch);
        await jobs.executions.add(number, [{ device: 'a' }], batch);
        if (fails) throw new Error('on purpose');
        return number;
      });
    await expect(create('never', true)).rejects.toThrow('on purpose');
    const number = await create('second', false);
    expect(number).toBe(job + 1);
    expect((await jobs.ask('a', '$next/get')).answer.body).toMatchObject({
      execution: { jobId: 'second', jobDocument: { of: 'second' } },
    });
  });

  describe('that are held back', () => {
    let closed: Set<number>;
    beforeEach(() => {
      closed = new Set([job]);
      jobs.executions.gate({ closed: async (queued) => new Map([...queued.keys()].map((device) => [device, closed])) });
    });

    test('are not seen and cannot be begun', async () => {
      await jobs.queue(job, 'a');
      expect(jobs.take()).toEqual([]);
      expect((await jobs.ask('a', 'get')).answer.body).toMatchObject({ queuedJobs: [] });
      expect((await jobs.ask('a', '$next/get')).answer.body).not.toHaveProperty('execution');
      expect((await jobs.ask('a', 'start-next')).answer.body).not.toHaveProperty('execution');
      expect((await jobs.ask('a', 'j1/update', { status: 'IN_PROGRESS' })).answer.body).toMatchObject({
        code: 'InvalidStateTransition',
        executionState: { status: 'QUEUED' },
      });
    });

    test('are told of once they are released', async () => {
      await jobs.queue(job, 'a', 'b');
      closed.clear();
      expect(await jobs.step((batch) => jobs.executions.remind(job, ['a', 'x'], batch))).toEqual(['a']);
      expect(jobs.take().map(({ topic }) => topic)).toEqual(['$aws/things/a/jobs/notify', '$aws/things/a/jobs/notify-next']);
      expect((await jobs.ask('a', 'start-next')).answer.body).toMatchObject({ execution: { jobId: 'j1' } });
    });

    test('go on to their end where they were in progress', async () => {
      closed.clear();
      await jobs.queue(job, 'a');
      await jobs.ask('a', 'start-next');
      closed.add(job);
      expect((await jobs.ask('a', 'start-next')).answer.body).toMatchObject({ execution: { jobId: 'j1' } });
      expect((await jobs.ask('a', 'j1/update', { status: 'SUCCEEDED' })).answer.topic).toMatch(/accepted$/);
    });
  });
});
