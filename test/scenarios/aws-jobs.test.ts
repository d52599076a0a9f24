import {
  DescribeJobExecutionCommand,
  GetPendingJobExecutionsCommand,
  StartCommandExecutionCommand,
  StartNextPendingJobExecutionCommand,
  UpdateJobExecutionCommand,
} from '@aws-sdk/client-iot-jobs-data-plane';
import { iotjobs } from 'aws-iot-device-sdk-v2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsFleet, type AccessKey, failureOf, jsonOf, type Showing } from './aws.fixture.ts';
import { type Changed, classicJobs, jobs311, jobs5, type Next } from './aws-jobs.fixture.ts';
import { Refused } from './aws-v2.fixture.ts';

const { IN_PROGRESS, SUCCEEDED, FAILED, REJECTED } = iotjobs.model.JobStatus;
const CLIENTS = [
  ['IotJobsClient over MQTT 3.1.1', 'arm-classic', classicJobs],
  ['IotJobsClientv2 over MQTT 3.1.1', 'arm-311', jobs311],
  ['IotJobsClientv2 over MQTT 5', 'arm-5', jobs5],
] as const;

const fleet = new AwsFleet();
let operator: AccessKey;
beforeAll(async () => {
  await fleet.start(...CLIENTS.map(([, thing]) => thing), 'arm-http', 'arm-other');
  operator = await fleet.newKey({ role: 'operator' });
});
afterAll(async () => await fleet.stop());

const DOCUMENT = { operation: 'update', files: ['a', 'b'] };

async function addJob(id: string, thing: string, more: object = {}): Promise<void> {
  await fleet.ask('POST', '/api/v1/jobs', { id, targets: [`device:${thing}`], document: { ...DOCUMENT, id }, ...more });
}

async function refused(doing: Promise<unknown>): Promise<{ code: unknown; more: object }> {
  const error = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw error instanceof Error ? error : new Error('it was not refused');
  return { code: error.code, more: error.more };
}

describe.each(CLIENTS)('%s', (_, thing, open) => {
  it('does all there is: it is told of jobs, begins the next, and reports', async () => {
    await using user = await open(fleet, thing);
    const changes: Changed[] = [];
    const nexts: Next[] = [];
    await user.changes(changes);
    await user.nexts(nexts);
    expect(await user.pending()).toMatchObject({ inProgressJobs: [], queuedJobs: [] });
    const nothing = await user.startNext();
    expect(nothing.execution?.jobId).toBeUndefined();

    const [one, two] = [`one-${thing}`, `two-${thing}`];
    await addJob(one, thing);
    await expect.poll(() => nexts.at(-1)?.execution).toMatchObject({ jobId: one, status: 'QUEUED', jobDocument: { id: one } });
    await addJob(two, thing);
    await expect
      .poll(() =>
        (changes.at(-1)?.jobs as Record<string, readonly { jobId: string }[]> | undefined)?.['QUEUED']?.map(({ jobId }) => jobId),
      )
      .toEqual([one, two]);
    const pending = await user.pending();
    expect(pending.queuedJobs?.map(({ jobId }) => jobId)).toEqual([one, two]);
    expect(pending.queuedJobs?.[0]).toMatchObject({ versionNumber: 1, executionNumber: 1 });

    const next = await user.describe('$next');
    expect(next.execution).toMatchObject({
      jobId: one,
      thingName: thing,
      status: 'QUEUED',
      jobDocument: { ...DOCUMENT, id: one },
    });
    const bare = await user.describe(one, { executionNumber: 1, includeJobDocument: false });
    expect(bare.execution).toMatchObject({ jobId: one });
    // The newer clients leave `false` out of the request.
    if (open === classicJobs) expect(bare.execution?.jobDocument).toBeUndefined();

    const started = await user.startNext({ statusDetails: { step: '1' }, stepTimeoutInMinutes: 5 });
    expect(started.execution).toMatchObject({
      jobId: one,
      thingName: thing,
      status: IN_PROGRESS,
      versionNumber: 2,
      executionNumber: 1,
      statusDetails: { step: '1' },
      jobDocument: { id: one },
    });
    // Asked once more it is the same one that goes on.
    expect((await user.startNext()).execution).toMatchObject({ jobId: one, status: IN_PROGRESS });

    const { versionNumber = 0 } = (await user.describe(one)).execution ?? {};
    const updated = await user.update(one, {
      status: IN_PROGRESS,
      statusDetails: { step: '2' },
      expectedVersion: versionNumber,
      includeJobExecutionState: true,
      includeJobDocument: true,
    });
    expect(updated).toMatchObject({
      executionState: { status: IN_PROGRESS, statusDetails: { step: '2' } },
      jobDocument: { id: one },
    });

    const stale = await refused(user.update(one, { status: SUCCEEDED, expectedVersion: 1 }));
    expect(stale).toMatchObject({ code: 'VersionMismatch', more: { executionState: { status: IN_PROGRESS } } });
    await user.update(one, { status: SUCCEEDED });
    await expect.poll(() => nexts.at(-1)?.execution?.jobId).toBe(two);
    expect(await refused(user.update(one, { status: IN_PROGRESS }))).toMatchObject({ code: 'InvalidStateTransition' });
    expect(await refused(user.update('nobody', { status: SUCCEEDED }))).toMatchObject({ code: 'ResourceNotFound' });
    expect(await refused(user.describe('nobody'))).toMatchObject({ code: 'ResourceNotFound' });

    await user.update(two, { status: FAILED, statusDetails: { why: 'no room' } });
    await expect.poll(() => nexts.at(-1)?.execution?.jobId).toBeUndefined();
    await addJob(`three-${thing}`, thing);
    await user.update(`three-${thing}`, { status: REJECTED });
    expect(await user.pending()).toMatchObject({ inProgressJobs: [], queuedJobs: [] });
    const job = await fleet.ask<{ status: string }>('GET', `/api/v1/jobs/${one}`);
    expect(job).toMatchObject({ id: one });
  });

  it('finds after a time without a connection what is to be done', async () => {
    await addJob(`late-${thing}`, thing);
    await using user = await open(fleet, thing);
    const { execution } = await user.startNext();
    expect(execution).toMatchObject({ jobId: `late-${thing}`, status: IN_PROGRESS });
    await user.update(`late-${thing}`, { status: SUCCEEDED });
  });
});

it('what was acknowledged before the server was killed is there afterwards, and clients come back by themselves', async () => {
  const users = await Promise.all(
    CLIENTS.map(async ([, thing, open]) => {
      const user = await open(fleet, thing);
      const nexts: Next[] = [];
      await user.nexts(nexts);
      await addJob(`kill-${thing}`, thing);
      await user.startNext();
      await user.update(`kill-${thing}`, { status: IN_PROGRESS, statusDetails: { at: 'half' } });
      return { thing, user, nexts };
    }),
  );
  await fleet.selsyn.end('SIGKILL');
  await fleet.selsyn.restart();
  for (const { thing, user, nexts } of users) {
    await addJob(`after-${thing}`, thing);
    const { execution } = await (async () => {
      // The first requests may fall into the time before the client is back.
      for (let tries = 0; ; tries++)
        try {
          return await user.describe('$next');
        } catch (error) {
          if (tries > 20 || error instanceof Refused) throw error;
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
    })();
    expect(execution).toMatchObject({ jobId: `kill-${thing}`, status: IN_PROGRESS, statusDetails: { at: 'half' } });
    await user.update(`kill-${thing}`, { status: SUCCEEDED });
    await expect.poll(() => nexts.at(-1)?.execution?.jobId).toBe(`after-${thing}`);
    await user.update(`after-${thing}`, { status: SUCCEEDED });
    await user[Symbol.asyncDispose]();
  }
});

describe.each<[string, () => Promise<Showing>]>([
  ['a signature with the key of an operator', async () => ({ key: operator })],
  ['the client certificate of the device', async () => ({ device: 'arm-http' })],
])('the data plane of jobs over HTTP, by %s', (by, showing) => {
  it('does all there is', async () => {
    const client = fleet.jobsDataPlane(await showing());
    const thingName = 'arm-http';
    const [one, two] = [`h1-${by.length}`, `h2-${by.length}`];
    expect(await client.send(new GetPendingJobExecutionsCommand({ thingName }))).toMatchObject({
      inProgressJobs: [],
      queuedJobs: [],
    });
    expect((await client.send(new StartNextPendingJobExecutionCommand({ thingName }))).execution).toBeUndefined();
    expect((await client.send(new DescribeJobExecutionCommand({ thingName, jobId: '$next' }))).execution).toBeUndefined();
    await addJob(one, thingName);
    await addJob(two, thingName);
    const pending = await client.send(new GetPendingJobExecutionsCommand({ thingName }));
    expect(pending.queuedJobs?.map(({ jobId }) => jobId)).toEqual([one, two]);
    expect(pending.queuedJobs?.[0]?.queuedAt).toBeLessThan(10_000_000_000);
    const next = await client.send(new DescribeJobExecutionCommand({ thingName, jobId: '$next' }));
    expect(next.execution).toMatchObject({ jobId: one, thingName, status: 'QUEUED', versionNumber: 1 });
    expect(JSON.parse(next.execution?.jobDocument ?? '')).toEqual({ ...DOCUMENT, id: one });
    const started = await client.send(
      new StartNextPendingJobExecutionCommand({ thingName, statusDetails: { step: '1' }, stepTimeoutInMinutes: 10 }),
    );
    expect(started.execution).toMatchObject({
      jobId: one,
      status: 'IN_PROGRESS',
      statusDetails: { step: '1' },
      versionNumber: 2,
    });
    expect(JSON.parse(started.execution?.jobDocument ?? '')).toMatchObject({ id: one });
    const update = (jobId: string, more: object) =>
      client.send(new UpdateJobExecutionCommand({ thingName, jobId, status: 'IN_PROGRESS', ...more }));
    const updated = await update(one, { expectedVersion: 2, includeJobExecutionState: true, includeJobDocument: true });
    expect(updated).toMatchObject({ executionState: { status: 'IN_PROGRESS', versionNumber: 3 } });
    expect(JSON.parse(updated.jobDocument ?? '')).toMatchObject({ id: one });
    expect(await failureOf(update(one, { status: 'SUCCEEDED', expectedVersion: 2 }))).toMatchObject({
      name: 'VersionMismatchException',
      status: 409,
    });
    expect(await update(one, { status: 'SUCCEEDED' })).not.toHaveProperty('executionState');
    expect(await failureOf(update(one, {}))).toMatchObject({ name: 'InvalidStateTransitionException', status: 409 });
    expect(await failureOf(update(two, { status: 'QUEUED' }))).toMatchObject({ name: 'InvalidRequestException', status: 400 });
    expect(await failureOf(update('nobody', {}))).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
    const described = await client.send(
      new DescribeJobExecutionCommand({ thingName, jobId: two, executionNumber: 1, includeJobDocument: false }),
    );
    expect(described.execution).toMatchObject({ jobId: two, status: 'QUEUED' });
    expect(described.execution?.jobDocument).toBeUndefined();
    const other = new DescribeJobExecutionCommand({ thingName, jobId: two, executionNumber: 7 });
    expect(await failureOf(client.send(other))).toMatchObject({ name: 'ResourceNotFoundException' });
    await update(two, { status: 'FAILED', statusDetails: { why: 'x' } });
    const elsewhere = await failureOf(
      fleet.jobsDataPlane({ device: 'arm-http' }).send(new GetPendingJobExecutionsCommand({ thingName: 'arm-other' })),
    );
    expect(elsewhere).toMatchObject({ name: 'ForbiddenException', status: 403 });
  });
});

it('a command is started for a device, which answers it; the same request again is the same command', async () => {
  const client = fleet.jobsDataPlane({ key: operator });
  const device = await fleet.connect('arm-http');
  const requests: { topic: string; body: Record<string, unknown> }[] = [];
  device.on('message', (topic, payload) => requests.push({ topic, body: jsonOf(payload) }));
  await device.subscribeAsync('$aws/commands/things/arm-http/executions/+/request/+', { qos: 1 });
  const command = {
    targetArn: 'arn:aws:iot:eu-central-1:123456789012:thing/arm-http',
    commandArn: 'arn:aws:iot:eu-central-1:123456789012:command/move',
    parameters: { angle: { I: 30 }, fast: { B: true }, name: { S: 'left' } },
    executionTimeoutSeconds: 60,
    clientToken: 'token-1',
  };
  const { executionId = '' } = await client.send(new StartCommandExecutionCommand(command));
  await expect.poll(() => requests).toHaveLength(1);
  expect(requests[0]?.topic).toContain(`/executions/${executionId}/request/`);
  expect(JSON.stringify(requests[0]?.body)).toContain('30');
  expect(await client.send(new StartCommandExecutionCommand(command))).toMatchObject({ executionId });
  const changed = { ...command, parameters: { angle: { I: 31 } } };
  expect(await failureOf(client.send(new StartCommandExecutionCommand(changed)))).toMatchObject({
    name: 'ConflictException',
    status: 409,
  });
  await device.publishAsync(
    `$aws/commands/things/arm-http/executions/${executionId}/response/json`,
    JSON.stringify({ status: 'SUCCEEDED', result: { reached: { B: true } } }),
    { qos: 1 },
  );
  await expect
    .poll(async () => await fleet.ask<{ state: string }>('GET', `/api/v1/devices/arm-http/commands/${executionId}`))
    .toMatchObject({ name: 'move', state: 'succeeded' });
  for (const wrong of [
    { targetArn: 'arm-http' },
    { commandArn: 'move' },
    { executionTimeoutSeconds: 0 },
    { parameters: { a: {} } },
  ])
    expect(await failureOf(client.send(new StartCommandExecutionCommand({ ...command, ...wrong })))).toMatchObject({
      name: 'ValidationException',
    });
  const byDevice = fleet.jobsDataPlane({ device: 'arm-http' }).send(new StartCommandExecutionCommand(command));
  expect(await failureOf(byDevice)).toMatchObject({ name: 'ForbiddenException' });
  await device.endAsync();
});
