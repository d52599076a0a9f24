import awsIot, { type DeviceOptions, type Job } from 'aws-iot-device-sdk';
import { UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/selsyn.ts';
import { AwsFleet } from './aws.fixture.ts';

const THING = 'fan-1';
const fleet = new AwsFleet();
let setDesired: (desired: object) => Promise<void>;
beforeAll(async () => {
  await fleet.start(THING);
  const cloud = fleet.dataPlane({ key: await fleet.newKey({ role: 'operator' }) });
  setDesired = async (desired) => {
    const payload = Buffer.from(JSON.stringify({ state: { desired } }));
    await cloud.send(new UpdateThingShadowCommand({ thingName: THING, payload }));
  };
});
afterAll(async () => await fleet.stop());

function options(clientId: string): DeviceOptions {
  const { folder, endpoint } = fleet;
  return {
    host: endpoint.host,
    port: endpoint.mqttPort,
    protocol: 'mqtts',
    clientId,
    clean: true,
    caPath: folder.file('ca.crt'),
    certPath: folder.file(`${THING}.crt`),
    keyPath: folder.file(`${THING}.key`),
    baseReconnectTimeMs: 500,
    maximumReconnectTimeMs: 500,
    minimumConnectionTimeMs: 1_000,
    drainTimeMs: 10,
  };
}

interface Status {
  readonly status: string;
  readonly token: string;
  readonly state: { readonly code?: number; readonly version?: number; readonly state?: unknown };
}

/** The thing shadows of the SDK, with what they said. */
async function openShadows(
  clientId: string,
  registration: {
    readonly ignoreDeltas?: boolean;
    readonly enableVersioning?: boolean;
    readonly persistentSubscribe?: boolean;
  } = {},
) {
  const shadows = new awsIot.thingShadow(options(clientId));
  const statuses: Status[] = [];
  const deltas: { readonly version: number; readonly state: unknown }[] = [];
  const foreign: { readonly operation: string; readonly state: unknown }[] = [];
  shadows.on('status', (_thing: string, status: string, token: string, state: Status['state']) =>
    statuses.push({ status, token, state }),
  );
  shadows.on('delta', (_thing: string, state: { version: number; state: unknown }) => deltas.push(state));
  shadows.on('foreignStateChange', (_thing: string, operation: string, state: unknown) => foreign.push({ operation, state }));
  // While the server is away each attempt fails.
  shadows.on('error', () => undefined);
  await new Promise((resolve) => shadows.once('connect', resolve));
  await new Promise<void>((resolve, reject) =>
    shadows.register(THING, registration, (error, refused) =>
      error === undefined ? resolve() : reject(new Error(String(refused))),
    ),
  );
  const answerTo = async (token: string | null): Promise<Status> => {
    if (token === null) throw new Error('another operation is under way');
    return await eventually(async () => statuses.find((each) => each.token === token));
  };
  return {
    shadows,
    deltas,
    foreign,
    answerTo,
    async [Symbol.asyncDispose]() {
      shadows.unregister(THING);
      await new Promise<void>((resolve) => shadows.end(false, resolve));
    },
  };
}

describe('thingShadow', () => {
  it('updates, gets and deletes, hears deltas and what others change', async () => {
    await using device = await openShadows('fan-device');
    await using other = await openShadows('fan-other', { enableVersioning: false });
    const { shadows, answerTo } = device;
    expect(await answerTo(shadows.get(THING))).toMatchObject({ status: 'rejected', state: { code: 404 } });
    const made = await answerTo(shadows.update(THING, { state: { desired: { rpm: 900 }, reported: { rpm: 0 } } }));
    expect(made).toMatchObject({ status: 'accepted', state: { state: { desired: { rpm: 900 } } } });
    await expect.poll(() => device.deltas).toMatchObject([{ state: { rpm: 900 } }]);
    await expect.poll(() => other.foreign).toMatchObject([{ operation: 'update' }]);
    expect(await answerTo(shadows.get(THING))).toMatchObject({
      status: 'accepted',
      state: { state: { desired: { rpm: 900 }, reported: { rpm: 0 }, delta: { rpm: 900 } } },
    });
    await setDesired({ rpm: 1_200 });
    await expect.poll(() => device.deltas.at(-1)).toMatchObject({ state: { rpm: 1_200 } });
    // It attaches the last version that it knows by itself.
    expect(await answerTo(shadows.update(THING, { state: { reported: { rpm: 1_200 } } }))).toMatchObject({ status: 'accepted' });
    expect(await answerTo(shadows.delete(THING))).toMatchObject({ status: 'accepted' });
    await expect.poll(() => other.foreign.at(-1)).toMatchObject({ operation: 'delete' });
  });

  it('is told of a conflict when its version is old, and goes on from the shadow as it is', async () => {
    // It subscribes to answers only while it waits for one, so it hears of nothing that others do.
    await using blind = await openShadows('fan-blind', { ignoreDeltas: true, persistentSubscribe: false });
    const { shadows, answerTo } = blind;
    expect(await answerTo(shadows.update(THING, { state: { reported: { rpm: 1 } } }))).toMatchObject({ status: 'accepted' });
    await setDesired({ rpm: 2 });
    expect(await answerTo(shadows.update(THING, { state: { reported: { rpm: 3 } } }))).toMatchObject({
      status: 'rejected',
      state: { code: 409, message: 'Version conflict' },
    });
    expect(await answerTo(shadows.get(THING))).toMatchObject({ status: 'accepted' });
    expect(await answerTo(shadows.update(THING, { state: { reported: { rpm: 3 } } }))).toMatchObject({ status: 'accepted' });
    expect(await answerTo(shadows.delete(THING))).toMatchObject({ status: 'accepted' });
  });

  it('comes back after the server was killed, and hears the deltas again', async () => {
    await using device = await openShadows('fan-back');
    await device.answerTo(device.shadows.update(THING, { state: { desired: { rpm: 1 }, reported: { rpm: 1 } } }));
    const back = new Promise((resolve) => device.shadows.once('connect', resolve));
    await fleet.selsyn.end('SIGKILL');
    await fleet.selsyn.restart();
    await back;
    await setDesired({ rpm: 7 });
    await expect.poll(() => device.deltas.at(-1)).toMatchObject({ state: { rpm: 7 } });
    await device.answerTo(device.shadows.get(THING));
    await device.answerTo(device.shadows.delete(THING));
  });
});

describe('jobs', () => {
  it('are given out by their operation, begun, and reported', async () => {
    const jobs = new awsIot.jobs(options('fan-jobs'));
    await new Promise((resolve, reject) => jobs.once('connect', resolve).once('error', reject));
    const heard: Job[] = [];
    const others: Job[] = [];
    const take =
      (into: Job[]) =>
      (error: Error | null, job: Job): void => {
        if (error === null && job !== null) into.push(job);
      };
    jobs.subscribeToJobs(THING, 'spin', take(heard));
    jobs.subscribeToJobs(THING, take(others));
    const addJob = async (id: string, document: object) =>
      await fleet.ask('POST', '/api/v1/jobs', { id, targets: [`device:${THING}`], document });
    await addJob('spin-1', { operation: 'spin', rpm: 5 });
    await new Promise<void>((resolve, reject) =>
      jobs.startJobNotifications(THING, (error) => (error instanceof Error ? reject(error) : resolve())),
    );
    const latest = async (list: Job[], id: string): Promise<Job> => {
      await expect.poll(() => list.at(-1)?.id).toBe(id);
      return list.at(-1) as Job;
    };
    const spin = await latest(heard, 'spin-1');
    expect(spin).toMatchObject({ operation: 'spin', document: { rpm: 5 }, status: { status: 'QUEUED' } });
    const report = async (job: Job, how: 'inProgress' | 'succeeded' | 'failed', details: Record<string, string>) =>
      await new Promise<void>((resolve, reject) =>
        job[how](details, (error) => (error instanceof Error ? reject(error) : resolve())),
      );
    await report(spin, 'inProgress', { step: 'begun' });
    const execution = async (id: string) => await fleet.ask<{ status: string }>('GET', `/api/v1/jobs/${id}/executions/${THING}`);
    await expect.poll(async () => JSON.stringify(await execution('spin-1'))).toContain('IN_PROGRESS');
    await addJob('other-1', { operation: 'clean' });
    await report(spin, 'succeeded', { step: 'done' });
    const clean = await latest(others, 'other-1');
    expect(clean.operation).toBe('clean');
    await report(clean, 'failed', { why: 'dust' });
    await expect.poll(async () => JSON.stringify(await execution('other-1'))).toContain('FAILED');
    await expect.poll(async () => JSON.stringify(await execution('spin-1'))).toContain('SUCCEEDED');
    await new Promise<void>((resolve, reject) =>
      jobs.unsubscribeFromJobs(THING, 'spin', (error) => (error instanceof Error ? reject(error) : resolve())),
    );
    await new Promise<void>((resolve) => jobs.end(false, resolve));
  });
});
