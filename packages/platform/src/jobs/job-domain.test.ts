import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestJobs } from './jobs.fixture.ts';

const J = '$aws/things/T/jobs';
/** Epoch seconds of the fake clock's start. */
const NOW = 1_700_000_000;

describe('jobs of a device over MQTT', () => {
  let jobs: TestJobs;
  let job: number;
  beforeEach(async () => {
    jobs = await TestJobs.open();
    job = await jobs.addJob('j1', { document: { operation: 'reboot' } });
    await jobs.queue(job, 'T');
  });
  afterEach(async () => {
    await jobs[Symbol.asyncDispose]();
  });

  const summary = { jobId: 'j1', queuedAt: NOW, lastUpdatedAt: NOW, versionNumber: 1, executionNumber: 1 };
  const execution = { ...summary, thingName: 'T', status: 'QUEUED', jobDocument: { operation: 'reboot' } };

  test('are told of by notify and notify-next when they are queued', () => {
    expect(jobs.take()).toEqual([
      { topic: `${J}/notify`, body: { timestamp: NOW, jobs: { QUEUED: [summary] } } },
      { topic: `${J}/notify-next`, body: { timestamp: NOW, execution } },
    ]);
  });

  test('are listed by get', async () => {
    const { answer, others } = await jobs.ask('T', 'get', { clientToken: 'c' });
    expect(answer).toEqual({
      topic: `${J}/get/accepted`,
      body: { inProgressJobs: [], queuedJobs: [summary], timestamp: NOW, clientToken: 'c' },
    });
    expect(others).toEqual([]);
  });

  test('of a device that has none are empty lists, no execution to start, and none that is next', async () => {
    expect((await jobs.ask('other', 'get', new Uint8Array())).answer.body).toEqual({
      inProgressJobs: [],
      queuedJobs: [],
      timestamp: NOW,
    });
    expect((await jobs.ask('other', 'start-next', { clientToken: 'c' })).answer).toEqual({
      topic: '$aws/things/other/jobs/start-next/accepted',
      body: { timestamp: NOW, clientToken: 'c' },
    });
    expect((await jobs.ask('other', '$next/get')).answer).toEqual({
      topic: '$aws/things/other/jobs/$next/get/accepted',
      body: { timestamp: NOW },
    });
  });

  test('are begun by start-next, which tells of the list but not of a next one, since that is the same', async () => {
    jobs.clock.advance(2_000);
    const { answer, others } = await jobs.ask('T', 'start-next', { statusDetails: { step: '1' }, clientToken: 'c' });
    expect(answer).toEqual({
      topic: `${J}/start-next/accepted`,
      body: {
        execution: {
          ...execution,
          status: 'IN_PROGRESS',
          statusDetails: { step: '1' },
          startedAt: NOW + 2,
          lastUpdatedAt: NOW + 2,
          versionNumber: 2,
        },
        timestamp: NOW + 2,
        clientToken: 'c',
      },
    });
    const started = { ...summary, startedAt: NOW + 2, lastUpdatedAt: NOW + 2, versionNumber: 2 };
    expect(others).toEqual([{ topic: `${J}/notify`, body: { timestamp: NOW + 2, jobs: { IN_PROGRESS: [started] } } }]);
  });

  test('that are in progress are given again by start-next, with the details that they have', async () => {
    await jobs.ask('T', 'start-next', { statusDetails: { step: '1' } });
    const { answer, others } = await jobs.ask('T', 'start-next', { statusDetails: { step: '2' } });
    expect(answer.body).toMatchObject({ execution: { status: 'IN_PROGRESS', statusDetails: { step: '1' }, versionNumber: 2 } });
    expect(others).toEqual([]);
  });

  test('are described by id or as $next, without the document where it is not wanted', async () => {
    expect((await jobs.ask('T', 'j1/get', { clientToken: 'c' })).answer).toEqual({
      topic: `${J}/j1/get/accepted`,
      body: { execution, timestamp: NOW, clientToken: 'c' },
    });
    const { jobDocument: _jobDocument, ...withoutDocument } = execution;
    expect((await jobs.ask('T', '$next/get', { includeJobDocument: false })).answer).toEqual({
      topic: `${J}/$next/get/accepted`,
      body: { execution: withoutDocument, timestamp: NOW },
    });
    expect((await jobs.ask('T', 'j1/get', { executionNumber: 1 })).answer.body).toMatchObject({ execution });
  });

  test('are ended by an update, whose answer has only what was asked for', async () => {
    expect((await jobs.ask('T', 'j1/update', { status: 'IN_PROGRESS', clientToken: 'c' })).answer).toEqual({
      topic: `${J}/j1/update/accepted`,
      body: { timestamp: NOW, clientToken: 'c' },
    });
    const { answer, others } = await jobs.ask('T', 'j1/update', {
      status: 'SUCCEEDED',
      statusDetails: { result: 'ok' },
      expectedVersion: 2,
      includeJobExecutionState: true,
      includeJobDocument: true,
    });
    expect(answer.body).toEqual({
      executionState: { status: 'SUCCEEDED', statusDetails: { result: 'ok' }, versionNumber: 3 },
      jobDocument: { operation: 'reboot' },
      timestamp: NOW,
    });
    expect(others).toEqual([
      { topic: `${J}/notify`, body: { timestamp: NOW, jobs: {} } },
      { topic: `${J}/notify-next`, body: { timestamp: NOW } },
    ]);
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 0, IN_PROGRESS: 0, SUCCEEDED: 1 });
  });

  test('progress without telling of lists that have not changed', async () => {
    await jobs.ask('T', 'start-next');
    jobs.events = [];
    const { others } = await jobs.ask('T', 'j1/update', { status: 'IN_PROGRESS', statusDetails: { p: '50' } });
    expect(others).toEqual([]);
    expect(jobs.events).toEqual([{ kind: 'job', device: 'T', job: 'j1', execution: 1, status: 'IN_PROGRESS' }]);
  });

  test('that are another version are refused with the state that there is', async () => {
    const { answer, others } = await jobs.ask('T', 'j1/update', { status: 'SUCCEEDED', expectedVersion: 7, clientToken: 'c' });
    expect(answer).toEqual({
      topic: `${J}/j1/update/rejected`,
      body: {
        code: 'VersionMismatch',
        message: 'The job execution has version 1, not 7',
        clientToken: 'c',
        timestamp: NOW,
        executionState: { status: 'QUEUED', statusDetails: {}, versionNumber: 1 },
      },
    });
    expect(others).toEqual([]);
  });

  test('that have ended are neither changed nor described', async () => {
    await jobs.ask('T', 'j1/update', { status: 'FAILED', statusDetails: { why: 'x' } });
    for (const executionNumber of [undefined, 1]) {
      const { answer } = await jobs.ask('T', 'j1/update', { status: 'IN_PROGRESS', executionNumber });
      expect(answer.topic).toBe(`${J}/j1/update/rejected`);
      expect(answer.body).toMatchObject({
        code: 'InvalidStateTransition',
        executionState: { status: 'FAILED', statusDetails: { why: 'x' }, versionNumber: 2 },
      });
      const described = (await jobs.ask('T', 'j1/get', { executionNumber })).answer;
      expect(described.topic).toBe(`${J}/j1/get/rejected`);
      expect(described.body['code']).toBe('TerminalStateReached');
      expect(described.body).not.toHaveProperty('executionState');
    }
  });

  test('that are not there are ResourceNotFound', async () => {
    await jobs.addJob('elsewhere');
    for (const [topic, body] of [
      ['nothing/get', {}],
      ['elsewhere/get', {}],
      ['j1/get', { executionNumber: 2 }],
      ['nothing/update', { status: 'FAILED' }],
      ['j1/update', { status: 'FAILED', executionNumber: 2 }],
    ] as const) {
      const { answer } = await jobs.ask('T', topic, body);
      expect(answer.topic).toBe(`${J}/${topic}/rejected`);
      expect(answer.body['code']).toBe('ResourceNotFound');
    }
  });

  test('that are asked for wrongly are refused at the topic that was used', async () => {
    expect((await jobs.ask('T', 'j1/update', { clientToken: 'c' })).answer).toMatchObject({
      topic: `${J}/j1/update/rejected`,
      body: { code: 'InvalidRequest', clientToken: 'c', timestamp: NOW },
    });
    expect((await jobs.ask('T', 'j1/delete')).answer.body['code']).toBe('InvalidTopic');
    expect((await jobs.ask('T', 'get', Buffer.from('{'))).answer.body['code']).toBe('InvalidJson');
  });

  test('are done in the order of queueing, and one that is in progress comes first', async () => {
    const second = await jobs.addJob('j2');
    const third = await jobs.addJob('j3');
    jobs.take();
    jobs.clock.advance(1000);
    await jobs.queue(second, 'T');
    jobs.clock.advance(1000);
    await jobs.queue(third, 'T');
    expect(jobs.take().map(({ topic }) => topic)).toEqual([`${J}/notify`, `${J}/notify`]);
    const { others } = await jobs.ask('T', 'j3/update', { status: 'IN_PROGRESS' });
    expect(others.map(({ topic }) => topic)).toEqual([`${J}/notify`, `${J}/notify-next`]);
    expect(others[1]?.body).toMatchObject({ execution: { jobId: 'j3', status: 'IN_PROGRESS' } });
    const { answer } = await jobs.ask('T', 'get');
    expect(answer.body).toMatchObject({ inProgressJobs: [{ jobId: 'j3' }], queuedJobs: [{ jobId: 'j1' }, { jobId: 'j2' }] });
    expect((await jobs.ask('T', 'start-next')).answer.body).toMatchObject({ execution: { jobId: 'j3' } });
  });

  test('in one batch see what those before them did, and are told of once', async () => {
    jobs.take();
    const before = jobs.writer.counters.batches;
    const publish = (topic: string, body: unknown) =>
      jobs.domain.request({
        topic: `${J}/${topic}`,
        payload: Buffer.from(JSON.stringify(body)),
        clientId: 'T',
        principalId: 'T',
        from: { gateway: 0, client: 'T' },
      });
    await Promise.all([
      publish('start-next', {}),
      publish('j1/update', { status: 'SUCCEEDED', expectedVersion: 2 }),
      publish('j1/update', { status: 'SUCCEEDED', expectedVersion: 2 }),
      publish('j1/get', {}),
      publish('start-next', {}),
    ]);
    expect(jobs.writer.counters.batches - before).toBe(1);
    expect(jobs.take().map(({ topic, body }) => [topic.slice(J.length), body['code']])).toEqual([
      ['/start-next/accepted', undefined],
      ['/j1/update/accepted', undefined],
      ['/j1/update/rejected', 'VersionMismatch'],
      ['/j1/get/rejected', 'TerminalStateReached'],
      ['/start-next/accepted', undefined],
      ['/notify', undefined],
      ['/notify-next', undefined],
    ]);
  });

  test('are listed up to fifteen, the next ones first', async () => {
    for (let number = 2; number <= 20; number++) {
      jobs.clock.advance(1000);
      await jobs.queue(await jobs.addJob(`j${number}`), 'T');
    }
    const { answer } = await jobs.ask('T', 'get');
    const listed = answer.body['queuedJobs'] as readonly { readonly jobId: string }[];
    expect(listed.map(({ jobId }) => jobId)).toEqual(Array.from({ length: 15 }, (_, index) => `j${index + 1}`));
  });

  test('can be asked for otherwise, with nothing published but what has changed', async () => {
    jobs.take();
    const result = await jobs.domain.ask({ operation: 'start-next', device: 'T', details: undefined, stepTimeoutMs: undefined });
    expect(result).toMatchObject({ kind: 'execution', execution: { status: 'IN_PROGRESS' }, document: '{"operation":"reboot"}' });
    expect(jobs.take().map(({ topic }) => topic)).toEqual([`${J}/notify`]);
  });

  test('keep what happened to them', async () => {
    jobs.clock.advance(1000);
    await jobs.ask('T', 'start-next', { statusDetails: { step: '1' } });
    jobs.clock.advance(1000);
    await jobs.ask('T', 'j1/update', { status: 'FAILED', statusDetails: { step: '2' } });
    const kept = await jobs.store.get(job, 'T');
    expect(await jobs.store.history(kept)).toEqual([
      { version: 1, atMs: NOW * 1000, status: 'QUEUED', cause: 'queued', details: undefined },
      { version: 2, atMs: NOW * 1000 + 1000, status: 'IN_PROGRESS', cause: 'device', details: { step: '1' } },
      { version: 3, atMs: NOW * 1000 + 2000, status: 'FAILED', cause: 'device', details: { step: '2' } },
    ]);
  });

  test('keep only the newest of very many changes', async () => {
    for (let count = 0; count < 150; count++) await jobs.ask('T', 'j1/update', { status: 'IN_PROGRESS' });
    const history = await jobs.store.history(await jobs.store.get(job, 'T'));
    expect(history.slice(1).map(({ version }) => version)).toEqual(Array.from({ length: 100 }, (_, index) => index + 52));
  });

  test('are unknown to a device that was registered anew, and REMOVED for the job', async () => {
    const ended = await jobs.addJob('ended');
    await jobs.queue(ended, 'T', 'other');
    await jobs.ask('T', 'ended/update', { status: 'SUCCEEDED' });
    const change = { sequence: 1, device: 'T', kind: 'removed', atMs: jobs.clock.now() } as const;
    await jobs.step((batch) => jobs.domain.registryChanged([change], batch));
    expect(jobs.take()).toEqual([]);
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 0, REMOVED: 1 });
    expect(await jobs.store.counts(ended)).toMatchObject({ QUEUED: 1, SUCCEEDED: 1 });
    expect(await jobs.store.ofDevice({ device: 'T', limit: 10 })).toEqual({ items: [] });
    expect((await jobs.ask('T', 'ended/get')).answer.body['code']).toBe('ResourceNotFound');
    expect((await jobs.ask('T', 'j1/get')).answer.body['code']).toBe('ResourceNotFound');
    jobs.clock.advance(1);
    expect(await jobs.queue(job, 'T')).toBe(1);
    expect((await jobs.ask('T', '$next/get')).answer.body).toMatchObject({ execution: { jobId: 'j1', executionNumber: 2 } });
    expect(await jobs.store.counts(job)).toMatchObject({ QUEUED: 1, REMOVED: 0 });
  });
});
