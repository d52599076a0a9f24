import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import { isSelsynError } from '../../kernel/errors.ts';
import type { ExecutionStatus, ReportedStatus } from '../job-execution.ts';
import { NO_COUNTS, type JobCounts } from './job-counts.ts';
import { asTester, openTestJobs, type TestJobs } from './job-services.fixture.ts';

const DEVICES = ['d0', 'd1', 'd2', 'd3', 'd4'] as const;
const GROUPS = ['/a', '/a/x', '/b'] as const;
const JOBS = ['j0', 'j1'] as const;

interface ModelJob {
  readonly target: string;
  readonly continuous: boolean;
  readonly retries: number;
  status: 'IN_PROGRESS' | 'CANCELED' | 'COMPLETED';
  /** Of devices as they are registered now. */
  readonly executions: Map<string, { status: ExecutionStatus; attempt: number }[]>;
  /** Of devices that are no more. */
  readonly gone: Map<string, { status: ExecutionStatus; attempt: number }[]>;
}

/** What jobs are, without rates and windows: said again as simply as can be. */
class Model {
  readonly devices = new Map<string, string>();
  readonly jobs = new Map<string, ModelJob>();

  create(id: string, target: string, continuous: boolean, retries: number): void {
    if (this.jobs.has(id)) return;
    const job: ModelJob = { target, continuous, retries, status: 'IN_PROGRESS', executions: new Map(), gone: new Map() };
    this.jobs.set(id, job);
    for (const device of this.devices.keys()) if (this.#isMeant(job, device)) job.executions.set(device, [queued(0)]);
    this.#complete();
  }

  place(device: string, group: string): void {
    this.devices.set(device, group);
    for (const job of this.jobs.values()) {
      if (!job.continuous || job.status !== 'IN_PROGRESS') continue;
      const list = job.executions.get(device) ?? [];
      const last = list.at(-1);
      if (this.#isMeant(job, device)) {
        if (last === undefined || last.status === 'REMOVED') job.executions.set(device, [...list, queued(0)]);
      } else if (last !== undefined && isPending(last)) last.status = 'REMOVED';
    }
  }

  remove(device: string): void {
    this.devices.delete(device);
    for (const job of this.jobs.values()) {
      const list = job.executions.get(device) ?? [];
      const last = list.at(-1);
      if (last !== undefined && isPending(last)) last.status = 'REMOVED';
      job.executions.delete(device);
      if (list.length > 0) job.gone.set(device, [...(job.gone.get(device) ?? []), ...list]);
    }
    this.#complete();
  }

  report(id: string, device: string, status: ReportedStatus): void {
    const job = this.jobs.get(id);
    const list = job?.executions.get(device) ?? [];
    const last = list.at(-1);
    if (job === undefined || last === undefined || !isPending(last)) return;
    if (last.status === 'QUEUED' && job.status === 'CANCELED') return;
    last.status = status;
    if (status === 'FAILED' && job.status === 'IN_PROGRESS' && last.attempt < job.retries) list.push(queued(last.attempt + 1));
    this.#complete();
  }

  cancel(id: string, force: boolean): void {
    const job = this.jobs.get(id);
    if (job === undefined || (job.status !== 'IN_PROGRESS' && !(job.status === 'CANCELED' && force))) return;
    job.status = 'CANCELED';
    for (const list of job.executions.values()) {
      const last = list.at(-1);
      if (last !== undefined && (last.status === 'QUEUED' || (force && isPending(last)))) last.status = 'CANCELED';
    }
  }

  #complete(): void {
    for (const job of this.jobs.values()) {
      const isOpen = [...job.executions.values()].some((list) => list.some(isPending));
      if (!isOpen && !job.continuous && job.status === 'IN_PROGRESS') job.status = 'COMPLETED';
    }
  }

  #isMeant({ target }: ModelJob, device: string): boolean {
    const group = this.devices.get(device);
    return group !== undefined && (group === target || group.startsWith(`${target}/`));
  }
}

function queued(attempt: number) {
  return { status: 'QUEUED' as ExecutionStatus, attempt };
}

function isPending({ status }: { readonly status: ExecutionStatus }): boolean {
  return status === 'QUEUED' || status === 'IN_PROGRESS';
}

/** All that must be the same, whatever happened on the way. */
async function compare(model: Model, jobs: TestJobs): Promise<void> {
  for (const [id, expected] of model.jobs) {
    const found = new Map<string, string[]>();
    for (const { device, number, status, attempt } of await jobs.executions(id)) {
      found.set(device, [...(found.get(device) ?? []), `${number} ${status} ${attempt}`]);
    }
    const lists = new Map<string, string[]>();
    const counts: { -readonly [status in ExecutionStatus]: number } = { ...NO_COUNTS };
    for (const device of DEVICES) {
      const list = [...(expected.gone.get(device) ?? []), ...(expected.executions.get(device) ?? [])];
      const last = list.at(-1);
      if (last === undefined) continue;
      lists.set(
        device,
        list.map(({ status, attempt }, index) => `${index + 1} ${status} ${attempt}`),
      );
      counts[last.status]++;
    }
    expect(found).toEqual(lists);
    expect(await jobs.counts(id)).toEqual(counts satisfies JobCounts);
    expect((await jobs.job(id)).status).toBe(expected.status);
    for (const device of model.devices.keys()) {
      const last = expected.executions.get(device)?.at(-1);
      expect((await jobs.pending(device)).includes(id)).toBe(last !== undefined && isPending(last));
    }
  }
}

type Step =
  | {
      readonly kind: 'create';
      readonly job: string;
      readonly target: string;
      readonly continuous: boolean;
      readonly retries: number;
    }
  | { readonly kind: 'place'; readonly device: string; readonly group: string }
  | { readonly kind: 'remove'; readonly device: string }
  | { readonly kind: 'report'; readonly job: string; readonly device: string; readonly status: ReportedStatus }
  | { readonly kind: 'cancel'; readonly job: string; readonly force: boolean };

/** What may go wrong right after a step was asked for. */
type Mishap = 'none' | 'crash' | 'broken-batch';

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      job: fc.constantFrom(...JOBS),
      target: fc.constantFrom('/a', '/b'),
      continuous: fc.boolean(),
      retries: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      device: fc.constantFrom(...DEVICES),
      group: fc.constantFrom(...GROUPS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), device: fc.constantFrom(...DEVICES) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      job: fc.constantFrom(...JOBS),
      device: fc.constantFrom(...DEVICES),
      status: fc.constantFrom('IN_PROGRESS' as const, 'SUCCEEDED' as const, 'FAILED' as const, 'REJECTED' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), job: fc.constantFrom(...JOBS), force: fc.boolean() }),
  },
);

async function doStep(each: Step, model: Model, jobs: TestJobs): Promise<void> {
  const { devices, clock } = jobs.registry;
  // Two things never happen in the same ms, so that it is clear what a removed device had.
  clock.advance(1);
  switch (each.kind) {
    case 'create':
      await refusable(
        jobs.create({
          id: each.job,
          targets: [`group:${each.target}`],
          group: '/',
          targetSelection: each.continuous ? 'continuous' : 'snapshot',
          ...(each.retries > 0 && {
            config: { retry: { criteria: [{ failureType: 'FAILED', numberOfRetries: each.retries }] } },
          }),
        }),
      );
      model.create(each.job, each.target, each.continuous, each.retries);
      return;
    case 'place':
      if (model.devices.has(each.device)) await devices.update(each.device as DeviceId, { group: each.group });
      else await devices.create({ id: each.device as DeviceId, group: each.group });
      model.place(each.device, each.group);
      return;
    case 'remove':
      await devices.remove(each.device as DeviceId);
      model.remove(each.device);
      return;
    case 'report':
      await jobs.report(each.job, each.device, each.status);
      model.report(each.job, each.device, each.status);
      return;
    case 'cancel':
      await refusable(jobs.services.calls.cancelJob({ id: each.job, force: each.force, ...asTester }));
      model.cancel(each.job, each.force);
  }
}

async function refusable(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isSelsynError(error, 'job.exists', 'job.not-found', 'job.conflict')) throw error;
  }
}

test('whatever is asked in whatever order, and wherever the process ends: every device has done, or is to do, exactly what it should', async () => {
  const mishap = fc.constantFrom<Mishap>('none', 'none', 'crash', 'broken-batch');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, mishap), { minLength: 10, maxLength: 40 }), async (steps) => {
      // Steps of two devices: everything takes several transactions.
      await using jobs = await openTestJobs({ stepSize: 2 });
      for (const group of GROUPS) await jobs.registry.groups.create(group, asTester.actor).catch(() => {});
      const model = new Model();
      for (const device of DEVICES.slice(0, 4)) {
        await jobs.registry.devices.create({ id: device as DeviceId, group: device < 'd2' ? '/a' : '/b' });
        model.devices.set(device, device < 'd2' ? '/a' : '/b');
      }
      await jobs.settle();
      for (const [each, wrong] of steps) {
        if (wrong === 'broken-batch') jobs.breakBatch();
        await doStep(each, model, jobs);
        if (wrong === 'crash') await jobs.restart();
        // What follows from a step is done before the next one: only then can the model say what comes of both.
        await jobs.settle();
        await compare(model, jobs);
      }
      await jobs.restart();
      await jobs.settle();
      await compare(model, jobs);
    }),
    { numRuns: 25 },
  );
});
