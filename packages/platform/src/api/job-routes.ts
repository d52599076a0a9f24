import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ExecutionStore } from '../jobs/execution-store.ts';
import type { JobExecution } from '../jobs/job-execution.ts';
import { findJob, listJobs, noJob, readCounts, readDocument, type StoredJob } from '../jobs/rollout/stored-job.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../registry/page-cursor.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import {
  eventToJson,
  executionHistorySchema,
  executionSchema,
  executionStatus,
  executionToJson,
  jobSchema,
  jobStatus,
  jobToJson,
} from './job-json.ts';
import { withTimes } from './job-config-schema.ts';
import { jobDraftSchema, jobPatchSchema, patchOf } from './job-schemas.ts';
import { cursorParameter, deviceParams, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { scopedPage } from './scoped-pages.ts';

const jobParams = z.object({ id: z.string().min(1).max(128).describe('The id of the job.') });
const executionParams = jobParams.extend({
  device: z.string().meta({ description: 'The device id.', pattern: '^[A-Za-z0-9:_.-]{1,128}$' }),
});
const page = {
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Items in a page.'),
  cursor: cursorParameter,
};
const cursor = z.string().optional().describe('Present when there are more.');
const force = z.boolean().default(false).describe('Also what is IN_PROGRESS: the device may be in the middle of it.');
const BODY = ['request.too-large', 'request.unsupported-media-type', 'state.busy', 'thread.timeout'] as const;

type Needs = Pick<ApiDependencies, 'devices' | 'state' | 'people' | 'clock'>;

/** Jobs, and their executions. Those outside of the caller's own nodes look not there, and so do devices that the caller may not see. */
export function jobRoutes({ devices, state, people, clock }: Needs): FastifyPluginAsyncZod {
  const { reader, calls } = state;
  const executions = new ExecutionStore({ database: reader });

  /** @throws SelsynError `job.not-found` */
  async function visible(id: string, scope: Scope): Promise<StoredJob> {
    const job = await findJob(reader, id);
    if (job === undefined || !scopeIncludes(scope, job.group)) throw noJob(id);
    return job;
  }

  async function shown(id: string, scope: Scope): Promise<z.output<typeof jobSchema>> {
    const job = await visible(id, scope);
    const counts = (await readCounts(reader, [job.number])).get(job.number)!;
    return jobToJson(job, counts, await readDocument(reader, job.number));
  }

  /** @throws SelsynError `job.not-found`, `job-execution.not-found`: also of a device that the caller does not see */
  async function execution(id: string, device: string, number: number | undefined, scope: Scope): Promise<JobExecution> {
    const job = await visible(id, scope);
    const group = (await devices.groupOf([parseDeviceId(device)])).get(parseDeviceId(device));
    if (!scopeIncludes(scope, group ?? '/'))
      throw new SelsynError('job-execution.not-found', `the job has no execution on the device ${device}`, {
        details: { device },
      });
    return await executions.get(job.number, device, number);
  }

  return async (app) => {
    app.post(
      '/jobs',
      {
        config: { permission: 'jobs:write' },
        schema: {
          operationId: 'addJob',
          summary: 'Have many devices do something',
          description:
            'Devices are told by the topics of AWS IoT Jobs. Answers as soon as the job is durable; the devices are found and told after that.',
          tags: ['jobs'],
          body: jobDraftSchema,
          response: {
            201: jobSchema,
            ...problems('job.exists', 'device.not-found', 'group.not-found', 'fleet.not-found', 'device-type.not-found', ...BODY),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const { id, group, targets, targetSelection, document, parameters, description } = request.body;
        const config = withTimes(request.body, clock.now());
        const draft = { id, group, targets, targetSelection, document, parameters, description, config };
        await calls.call('createJob', { ...draft, actor, scope });
        return await reply
          .code(201)
          .header('Location', `/api/v1/jobs/${encodeURIComponent(id)}`)
          .send(await shown(id, scope));
      },
    );

    app.get(
      '/jobs',
      {
        config: { permission: 'jobs:read' },
        schema: {
          operationId: 'listJobs',
          summary: 'List jobs',
          tags: ['jobs'],
          querystring: z.strictObject({ ...page, status: jobStatus.optional().describe('Only those that stand so.') }),
          response: { 200: z.object({ items: z.array(jobSchema), cursor }).describe('Newest first.'), ...problems() },
        },
      },
      async (request) => {
        const { limit, status } = request.query;
        const before = request.query.cursor === undefined ? undefined : numberOf(request.query.cursor);
        const found = await listJobs(reader, { status, before, scope: access(request).scope, limit: limit + 1 });
        const jobs = found.slice(0, limit);
        const numbers = jobs.map(({ number }) => number);
        const counts = await readCounts(reader, numbers);
        const last = numbers.at(-1);
        return {
          items: jobs.map((job) => jobToJson(job, counts.get(job.number)!)),
          ...(found.length > limit && last !== undefined && { cursor: encodePageCursor(`#${last}`) }),
        };
      },
    );

    app.get(
      '/jobs/:id',
      {
        config: { permission: 'jobs:read' },
        schema: {
          operationId: 'getJob',
          summary: 'Show a job and how far it is',
          tags: ['jobs'],
          params: jobParams,
          querystring: z.strictObject({}),
          response: { 200: jobSchema, ...problems('job.not-found') },
        },
      },
      async (request) => await shown(request.params.id, access(request).scope),
    );

    app.patch(
      '/jobs/:id',
      {
        config: { permission: 'jobs:write' },
        schema: {
          operationId: 'updateJob',
          summary: 'Change a job that has not ended',
          description:
            'Its rate, when it is aborted, how often is tried again, when it ends. What devices are given never changes.',
          tags: ['jobs'],
          params: jobParams,
          body: jobPatchSchema,
          response: { 200: jobSchema, ...problems('job.not-found', 'job.conflict', ...BODY) },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { id } = request.params;
        await calls.call('updateJob', { id, patch: patchOf(request.body, clock.now()), actor, scope });
        return await shown(id, scope);
      },
    );

    app.post(
      '/jobs/:id/cancel',
      {
        config: { permission: 'jobs:write' },
        schema: {
          operationId: 'cancelJob',
          summary: 'Cancel a job',
          description:
            'Nobody is given it any more, and executions that are QUEUED are cancelled; with `force` also those IN_PROGRESS.',
          tags: ['jobs'],
          params: jobParams,
          body: z.strictObject({
            force,
            reasonCode: z.string().min(1).max(128).optional(),
            comment: z.string().max(2_000).optional(),
          }),
          response: { 200: jobSchema, ...problems('job.not-found', 'job.conflict', ...BODY) },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { id } = request.params;
        await calls.call('cancelJob', { id, ...request.body, actor, scope });
        return await shown(id, scope);
      },
    );

    app.delete(
      '/jobs/:id',
      {
        config: { permission: 'jobs:write' },
        schema: {
          operationId: 'removeJob',
          summary: 'Delete a job and all of its executions',
          description: 'It is DELETION_IN_PROGRESS until all are gone; its id is free after that.',
          tags: ['jobs'],
          params: jobParams,
          querystring: z.strictObject({
            force: z.enum(['true', 'false']).default('false').describe('Also a job that has not ended; devices are not told.'),
          }),
          response: {
            204: z.null().describe('Deleted, or about to be.'),
            ...problems('job.not-found', 'job.conflict', 'state.busy', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        await calls.call('deleteJob', { id: request.params.id, force: request.query.force === 'true', actor, scope });
        return await reply.code(204).send(null);
      },
    );

    app.get(
      '/jobs/:id/executions',
      {
        config: { permission: 'jobs:read' },
        schema: {
          operationId: 'listJobExecutions',
          summary: 'List the executions of a job',
          description: 'By device; a page may hold fewer than were asked for. Devices that wait for theirs have none yet.',
          tags: ['jobs'],
          params: jobParams,
          querystring: z.strictObject({ ...page, status: executionStatus.optional().describe('Only those that stand so.') }),
          response: {
            200: z.object({ items: z.array(executionSchema), cursor }).describe('Ordered by device and number.'),
            ...problems('job.not-found'),
          },
        },
      },
      async (request) => {
        const { scope } = access(request);
        const job = await visible(request.params.id, scope);
        const { limit, status } = request.query;
        const found = await scopedPage<JobExecution>({
          devices,
          scope,
          cursor: request.query.cursor,
          sealed: people.sealedCursors,
          deviceOf: ({ device }) => device,
          read: async (after) => await executions.ofJob({ job: job.number, status, limit, cursor: after }),
        });
        return {
          items: found.items.map((each) => executionToJson(job.id, each)),
          ...(found.cursor !== undefined && { cursor: found.cursor }),
        };
      },
    );

    app.get(
      '/jobs/:id/executions/:device',
      {
        config: { permission: 'jobs:read' },
        schema: {
          operationId: 'getJobExecution',
          summary: 'Show what a job did on a device',
          tags: ['jobs'],
          params: executionParams,
          querystring: z.strictObject({
            number: z
              .string()
              .regex(/^[1-9]\d{0,8}$/)
              .transform(Number)
              .optional()
              .meta({ type: 'integer', pattern: undefined, description: 'Which of its executions. Absent: the latest.' }),
          }),
          response: {
            200: executionHistorySchema,
            ...problems('job.not-found', 'job-execution.not-found', 'device.invalid-id'),
          },
        },
      },
      async (request) => {
        const { id, device } = request.params;
        const found = await execution(id, device, request.query.number, access(request).scope);
        return { ...executionToJson(id, found), history: (await executions.history(found)).map(eventToJson) };
      },
    );

    app.post(
      '/jobs/:id/executions/:device/cancel',
      {
        config: { permission: 'jobs:write' },
        schema: {
          operationId: 'cancelJobExecution',
          summary: 'Cancel a job on one device',
          tags: ['jobs'],
          params: executionParams,
          body: z.strictObject({
            force,
            expectedVersion: z.number().int().min(1).optional().describe('Only if it has this version.'),
          }),
          response: {
            200: executionSchema,
            ...problems('job.not-found', 'job-execution.not-found', 'job-execution.conflict', 'device.invalid-id', ...BODY),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { id, device } = request.params;
        await execution(id, device, undefined, scope);
        await calls.call('cancelJobExecution', { id, device, ...request.body, actor, scope });
        return executionToJson(id, await execution(id, device, undefined, scope));
      },
    );

    app.get(
      '/devices/:id/jobs',
      {
        config: { permission: 'jobs:read' },
        schema: {
          operationId: 'listDeviceJobs',
          summary: 'List the jobs of a device',
          tags: ['jobs'],
          params: deviceParams,
          querystring: z.strictObject({ ...page, status: executionStatus.optional().describe('Only those that stand so.') }),
          response: {
            200: z.object({ items: z.array(executionSchema), cursor }).describe('Its executions, the latest queued first.'),
            ...problems('device.not-found', 'device.invalid-id'),
          },
        },
      },
      async (request) => {
        const device = parseDeviceId(request.params.id);
        await devices.ensureKnown(device, access(request).scope);
        const { limit, status } = request.query;
        const statuses = status === undefined ? undefined : [status];
        const found = await executions.ofDevice({ device, statuses, limit, cursor: request.query.cursor });
        return {
          items: found.items.map((each) => executionToJson(each.jobId, each)),
          ...(found.cursor !== undefined && { cursor: found.cursor }),
        };
      },
    );
  };
}

/** @throws SelsynError `request.invalid` for the cursor of another list. */
function numberOf(text: string): number {
  const digits = /^#(\d{1,15})$/.exec(decodePageCursor(text))?.[1];
  if (digits !== undefined) return Number(digits);
  throw new SelsynError('request.invalid', 'the cursor is not one that an earlier answer gave', { details: { field: 'cursor' } });
}
