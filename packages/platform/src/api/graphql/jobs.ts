import { STATUSES } from '../../jobs/job-execution.ts';
import type { ListedExecution } from '../../jobs/execution-store.ts';
import { JOB_STATUSES, TARGET_SELECTIONS } from '../../jobs/rollout/job-config.ts';
import { targetText } from '../../jobs/rollout/job-targets.ts';
import { findJob, listJobs, noJob, type StoredJob } from '../../jobs/rollout/stored-job.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../../registry/page-cursor.ts';
import { isEverything, scopeIncludes, type Scope } from '../../registry/scope.ts';
import type { JobEvent, StateEvent } from '../../state/state-events.ts';
import { jobConfigOf } from '../job-config-schema.ts';
import { findDevice, type DeviceRef } from './devices.ts';
import type { GraphqlContext } from './graphql-context.ts';
import { absent, INNER_LIST, MUTATION_COST, ROOT_LIST, sizeOf } from './paging.ts';
import type { Builder } from './schema-builder.ts';
import { askedDevices, shownAnew, watchedArguments } from './watching.ts';

interface JobPage {
  readonly items: readonly StoredJob[];
  readonly cursor?: string;
}

interface ExecutionsOfJob {
  readonly items: readonly ListedExecution[];
  readonly cursor?: string;
}

/** Jobs and their executions on devices. */
export function addJobs(builder: Builder, { device }: { readonly device: DeviceRef }): void {
  const jobStatus = builder.enumType('JobStatus', { values: JOB_STATUSES });
  const executionStatus = builder.enumType('JobExecutionStatus', { values: STATUSES });
  const selection = builder.enumType('JobTargetSelection', {
    description: 'snapshot: the devices there are when it is made. continuous: also those that join later.',
    values: TARGET_SELECTIONS,
  });

  const job = builder.objectRef<StoredJob>('Job');
  const execution = builder.objectRef<ListedExecution>('JobExecution').implement({
    description: 'A job on a device.',
    fields: (t) => ({
      jobId: t.exposeID('jobId'),
      job: t.field({
        type: job,
        nullable: true,
        description: 'Null: the caller may not see the job itself.',
        resolve: async (each, _, { selsyn: context }) => seen(await context.loaders.job.load(each.job), context),
      }),
      deviceId: t.exposeID('device'),
      device: t.field({
        type: device,
        nullable: true,
        description: 'Null: the caller may not see it, or it was removed.',
        resolve: async (each, _, { selsyn: context }) => await findDevice(context, each.device),
      }),
      number: t.exposeInt('number', { description: 'From 1, for each job and device.' }),
      status: t.field({ type: executionStatus, resolve: (each) => each.status }),
      version: t.exposeInt('version'),
      attempt: t.exposeInt('attempt', { description: 'How many were tried before it.' }),
      details: t.field({
        type: 'JSON',
        nullable: true,
        description: 'What the device says of it.',
        resolve: (each) => each.details,
      }),
      queuedAt: t.expose('queuedAtMs', { type: 'Timestamp' }),
      startedAt: t.expose('startedAtMs', { type: 'Timestamp', nullable: true }),
      updatedAt: t.expose('updatedAtMs', { type: 'Timestamp' }),
    }),
  });

  const executionPage = builder.objectRef<ExecutionsOfJob>('JobExecutionPage').implement({
    description: 'A page of executions of a job, by device.',
    fields: (t) => ({
      items: t.field({ type: [execution], resolve: ({ items }) => [...items] }),
      cursor: t.exposeString('cursor', { nullable: true, description: 'For `after`; null: there are no more.' }),
    }),
  });

  job.implement({
    description: 'Work for many devices.',
    fields: (t) => ({
      id: t.exposeID('id'),
      group: t.exposeString('group', { description: 'Only devices in it or below are meant.' }),
      status: t.field({ type: jobStatus, resolve: (each) => each.status }),
      selection: t.field({ type: selection, resolve: (each) => each.selection }),
      targets: t.stringList({ resolve: ({ targets }) => targets.map(targetText) }),
      description: t.exposeString('description', { nullable: true }),
      config: t.field({
        type: 'JSON',
        description: '`rollout`, `abort`, `timeout`, `retry`, `schedule`.',
        resolve: ({ config }) => config,
      }),
      document: t.field({
        type: 'JSON',
        nullable: true,
        description: 'What devices get.',
        extensions: { cost: 1 },
        resolve: async ({ number }, _, { selsyn: { loaders } }) => {
          const text = await loaders.jobDocument.load(number);
          return text === undefined ? null : (JSON.parse(text) as unknown);
        },
      }),
      counts: t.field({
        type: 'JSON',
        description: 'How many devices are in each status: `{"QUEUED": 3, …}`.',
        resolve: async ({ number }, _, { selsyn: { loaders } }) => await loaders.jobCounts.load(number),
      }),
      executions: t.field({
        type: executionPage,
        description: 'As far as the caller sees the devices.',
        args: {
          status: t.arg({ type: executionStatus }),
          first: t.arg.int({ description: `1 to ${INNER_LIST.max}; ${INNER_LIST.default} where it is not given.` }),
          after: t.arg.string(),
        },
        extensions: { defaultFirst: INNER_LIST.default },
        resolve: async (each, { status, first, after }, { selsyn: context }) =>
          await executionsOf(each, { status: absent(status), limit: sizeOf(first, INNER_LIST), cursor: absent(after) }, context),
      }),
      createdAt: t.expose('createdAtMs', { type: 'Timestamp' }),
      updatedAt: t.expose('updatedAtMs', { type: 'Timestamp' }),
      completedAt: t.expose('completedAtMs', { type: 'Timestamp', nullable: true }),
    }),
  });
  const page = builder.objectRef<JobPage>('JobPage').implement({
    description: 'A page of jobs, newest first.',
    fields: (t) => ({
      items: t.field({ type: [job], resolve: ({ items }) => [...items] }),
      cursor: t.exposeString('cursor', { nullable: true, description: 'For `after`; null: there are no more.' }),
    }),
  });

  builder.objectField(device, 'jobs', (t) =>
    t.field({
      type: [execution],
      nullable: true,
      description: 'Executions on the device, the latest queued first. Null: the caller may not see them.',
      args: { first: t.arg.int({ description: `1 to ${INNER_LIST.max}; ${INNER_LIST.default} where it is not given.` }) },
      extensions: { defaultFirst: INNER_LIST.default },
      resolve: async ({ id, group }, { first }, { selsyn: context }) => {
        if (!context.may('jobs:read', group)) return null;
        return [...(await context.loaders.jobs.load({ device: id, first: sizeOf(first, INNER_LIST) }))];
      },
    }),
  );

  builder.queryField('job', (t) =>
    t.field({
      type: job,
      nullable: true,
      description: 'Null: there is none.',
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_, { id }, { selsyn: context }) => seen(await findJob(context.services.state.reader, id), context),
    }),
  );

  builder.queryField('jobs', (t) =>
    t.field({
      type: page,
      nullable: true,
      args: {
        status: t.arg({ type: jobStatus }),
        first: t.arg.int({ description: `1 to ${ROOT_LIST.max}; ${ROOT_LIST.default} where it is not given.` }),
        after: t.arg.string({ description: 'The cursor of the page before; the other arguments stay the same.' }),
      },
      extensions: { defaultFirst: ROOT_LIST.default, cost: 1 },
      resolve: async (_, { status, first, after }, { selsyn: context }) =>
        await jobsWithin(context, context.scope('jobs:read'), {
          status: absent(status),
          limit: sizeOf(first, ROOT_LIST),
          before: after === null || after === undefined ? undefined : numberOf(after),
        }),
    }),
  );

  builder.mutationField('createJob', (t) =>
    t.field({
      type: job,
      nullable: true,
      description: 'Makes a job: it begins at once, or when its schedule says so.',
      args: {
        id: t.arg.id({ required: true, description: '1 to 64 of A-Z a-z 0-9 _ -' }),
        targets: t.arg.stringList({ required: true, description: '`device:X`, `group:/acme/b42`, `fleet:name`, …' }),
        document: t.arg({
          type: 'JSON',
          required: true,
          description: 'What devices get: an object. `${parameters.NAME}` in its texts is replaced.',
        }),
        parameters: t.arg({ type: 'JSON', description: 'An object of texts.' }),
        selection: t.arg({ type: selection, defaultValue: 'snapshot' }),
        group: t.arg.string({ description: 'Only devices in it or below are meant.' }),
        description: t.arg.string(),
        config: t.arg({
          type: 'JSON',
          description: '`rollout`, `abort`, `timeout`, `retry`, `schedule`, as in `POST /api/v1/jobs`.',
        }),
      },
      extensions: { cost: MUTATION_COST },
      resolve: async (_, args, { selsyn: context }): Promise<StoredJob> => {
        const scope = context.scope('jobs:write');
        const { state } = context.services;
        await state.calls.call('createJob', {
          id: args.id,
          group: absent(args.group),
          targets: args.targets,
          targetSelection: args.selection ?? 'snapshot',
          document: objectOf('document', args.document),
          parameters: textsOf('parameters', args.parameters),
          description: absent(args.description),
          config: jobConfigOf(args.config ?? {}, context.services.clock.now()),
          actor: context.access.actor,
          scope,
        });
        return await jobAfter(context, args.id);
      },
    }),
  );

  builder.mutationField('cancelJob', (t) =>
    t.field({
      type: job,
      nullable: true,
      description: 'Ends a job. Executions that devices have begun go on, unless it is forced.',
      args: { id: t.arg.id({ required: true }), force: t.arg.boolean({ defaultValue: false }), comment: t.arg.string() },
      extensions: { cost: MUTATION_COST },
      resolve: async (_, { id, force, comment }, { selsyn: context }): Promise<StoredJob> => {
        const scope = context.scope('jobs:write');
        const request = { id, force: force ?? false, comment: absent(comment), actor: context.access.actor, scope };
        await context.services.state.calls.call('cancelJob', request);
        return await jobAfter(context, id);
      },
    }),
  );

  const change = builder.objectRef<JobEvent>('JobExecutionChange').implement({
    description: 'A job on a device has come into a status.',
    fields: (t) => ({
      device: t.exposeID('device'),
      jobId: t.exposeID('job'),
      number: t.exposeInt('execution'),
      status: t.exposeString('status'),
    }),
  });

  builder.subscriptionField('jobExecutionChanged', (t) =>
    t.field({
      type: change,
      description: 'Statuses of jobs on devices that all of the arguments hold for.',
      args: { ...watchedArguments(t), job: t.arg.id({ description: 'Only this job.' }) },
      extensions: { cost: 10 },
      subscribe: async (_, { job: id, ...asked }, { selsyn: context }) =>
        await context.subscriptions.ofState(context, askedDevices(asked), {
          permission: 'jobs:read',
          isWanted: (event: StateEvent): event is JobEvent =>
            event.kind === 'job' && (id === null || id === undefined || event.job === id),
        }),
      resolve: (item, _, { selsyn: context }) => shownAnew(item, context),
    }),
  );
}

/** A job that the caller sees; undefined: it looks not there. */
function seen(job: StoredJob | undefined, context: GraphqlContext): StoredJob | undefined {
  const scope = context.scope('jobs:read');
  return job !== undefined && scopeIncludes(scope, job.group) ? job : undefined;
}

/** As it is after a change, whoever may only write included. */
async function jobAfter({ services }: GraphqlContext, id: string): Promise<StoredJob> {
  const job = await findJob(services.state.reader, id);
  if (job === undefined) throw noJob(id);
  return job;
}

/** A page of those that the caller sees. */
async function jobsWithin(
  { services }: GraphqlContext,
  scope: Scope,
  query: { readonly status: StoredJob['status'] | undefined; readonly before: number | undefined; readonly limit: number },
): Promise<JobPage> {
  const found = await listJobs(services.state.reader, { ...query, scope, limit: query.limit + 1 });
  const items = found.slice(0, query.limit);
  const last = items.at(-1)?.number;
  return found.length > query.limit && last !== undefined ? { items, cursor: encodePageCursor(String(last)) } : { items };
}

/** Executions of a job on devices that the caller sees: the page may be short. */
async function executionsOf(
  job: StoredJob,
  query: { readonly status: ListedExecution['status'] | undefined; readonly limit: number; readonly cursor: string | undefined },
  context: GraphqlContext,
): Promise<ExecutionsOfJob> {
  const scope = context.scope('jobs:read');
  const found = await context.loaders.jobExecutions.load({ job: job.number, ...query });
  const devices = await Promise.all(
    found.items.map(async ({ device }) => (isDeviceId(device) ? await context.loaders.device.load(device) : undefined)),
  );
  const items = found.items.flatMap((each, index) => {
    const group = devices[index]?.group;
    // What is not there any more is seen by those who see all.
    const isSeen = group === undefined ? isEverything(scope) : scopeIncludes(scope, group);
    return isSeen ? [{ ...each, jobId: job.id }] : [];
  });
  return { ...found, items };
}

/** @throws SelsynError `request.invalid` */
function numberOf(cursor: string): number {
  const number = Number(decodePageCursor(cursor));
  if (Number.isSafeInteger(number)) return number;
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'after' } });
}

/** @throws SelsynError `request.invalid` */
function objectOf(field: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw new SelsynError('request.invalid', `${field}: must be an object`, { details: { field } });
}

/** @throws SelsynError `request.invalid` */
function textsOf(field: string, value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const texts = objectOf(field, value);
  if (Object.values(texts).every((text) => typeof text === 'string')) return texts as Readonly<Record<string, string>>;
  throw new SelsynError('request.invalid', `${field}: must be an object of texts`, { details: { field } });
}
