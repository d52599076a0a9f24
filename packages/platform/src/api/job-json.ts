import { z } from 'zod';
import type { ExecutionEvent } from '../jobs/execution-store.ts';
import { STATUSES, type ExecutionStatus, type JobExecution } from '../jobs/job-execution.ts';
import { JOB_STATUSES } from '../jobs/rollout/job-config.ts';
import { targetText } from '../jobs/rollout/job-targets.ts';
import { notifiedOf, type JobCounts } from '../jobs/rollout/job-counts.ts';
import { rateOf } from '../jobs/rollout/rollout-rate.ts';
import type { StoredJob } from '../jobs/rollout/stored-job.ts';

export const jobStatus = z.enum(JOB_STATUSES);
export const executionStatus = z.enum(STATUSES as [ExecutionStatus, ...ExecutionStatus[]]);

const countsSchema = z
  .object(Object.fromEntries(STATUSES.map((status) => [status, z.number().int()])) as Record<ExecutionStatus, z.ZodNumber>)
  .describe('Devices by how their latest execution stands.');

export const jobSchema = z
  .object({
    id: z.string(),
    group: z.string().describe('Only devices in it or below are meant; also who may see and change the job.'),
    status: jobStatus,
    targets: z.array(z.string()),
    targetSelection: z.enum(['snapshot', 'continuous']),
    description: z.string().optional(),
    document: z.record(z.string(), z.unknown()).optional().describe('Not in lists.'),
    rollout: z.unknown().optional(),
    abort: z.unknown().optional(),
    timeout: z.unknown().optional(),
    retry: z.unknown().optional(),
    schedule: z.unknown().optional(),
    counts: countsSchema,
    progress: z
      .object({
        expanding: z.boolean().describe('Its targets are still being walked through.'),
        waiting: z
          .number()
          .int()
          .describe('Devices that have no execution yet: because of the rate, or of a maintenance window.'),
        notified: z.number().int().describe('Devices that were given an execution.'),
        finished: z.number().int().describe('Devices that are through with it, in whatever way.'),
        ratePerMinute: z.number().optional().describe('At which executions are given out now; absent: without limit.'),
      })
      .describe('How far it is.'),
    reason: z
      .object({ code: z.string(), comment: z.string().optional() })
      .optional()
      .describe('Why it was cancelled: what was said, or `ABORTED`, `END_OF_SCHEDULE`.'),
    forceCanceled: z.boolean().optional(),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
    completedAtMs: z.number().optional(),
  })
  .describe('A job.');

export function jobToJson(job: StoredJob, counts: JobCounts, document?: string): z.output<typeof jobSchema> {
  const { progress, config } = job;
  const notified = notifiedOf(counts);
  const ratePerMinute = rateOf(config.rollout, { notified, succeeded: counts.SUCCEEDED });
  return {
    id: job.id,
    group: job.group,
    status: job.status,
    targets: job.targets.map(targetText),
    targetSelection: job.selection,
    ...(job.description !== undefined && { description: job.description }),
    ...(document !== undefined && { document: JSON.parse(document) as Record<string, unknown> }),
    ...config,
    counts: { ...counts },
    progress: {
      // One that is continuous is walked through again and again: that is no news.
      expanding: progress.walk !== undefined && progress.walkAtMs === undefined,
      waiting: progress.waiting,
      notified,
      finished: notified - counts.QUEUED - counts.IN_PROGRESS,
      ...(ratePerMinute !== undefined && { ratePerMinute }),
    },
    ...(progress.reason !== undefined && { reason: { ...progress.reason } }),
    ...(progress.forceCanceled === true && { forceCanceled: true }),
    createdAtMs: job.createdAtMs,
    updatedAtMs: job.updatedAtMs,
    ...(job.completedAtMs !== undefined && { completedAtMs: job.completedAtMs }),
  };
}

export const executionSchema = z
  .object({
    job: z.string().describe('The id of the job.'),
    device: z.string(),
    number: z.number().int().describe('From 1, for each job and device.'),
    status: executionStatus,
    statusDetails: z.record(z.string(), z.string()).optional().describe('What the device said last.'),
    version: z.number().int(),
    retryAttempt: z.number().int().describe('How many attempts were before it.'),
    queuedAtMs: z.number(),
    startedAtMs: z.number().optional(),
    updatedAtMs: z.number(),
    timesOutAtMs: z.number().optional(),
  })
  .describe('A job on a device.');

export const executionHistorySchema = executionSchema
  .extend({
    history: z
      .array(
        z.object({
          version: z.number().int(),
          atMs: z.number(),
          status: executionStatus,
          cause: z.string().describe('`queued`, `device`, `timeout`, `step-timeout`, `cancel`, `abort` or `removed`.'),
          statusDetails: z.record(z.string(), z.string()).optional(),
        }),
      )
      .describe('Oldest first; of a long one only the newest changes.'),
  })
  .describe('A job on a device, and what has happened to it.');

export function executionToJson(job: string, execution: JobExecution): z.output<typeof executionSchema> {
  const { device, number, status, details, version, attempt, queuedAtMs, startedAtMs, updatedAtMs } = execution;
  const { deadlineMs, stepDeadlineMs } = execution;
  const times = [deadlineMs, stepDeadlineMs].filter((time) => time !== undefined);
  return {
    job,
    device,
    number,
    status,
    ...(details !== undefined && { statusDetails: { ...details } }),
    version,
    retryAttempt: attempt,
    queuedAtMs,
    ...(startedAtMs !== undefined && { startedAtMs }),
    updatedAtMs,
    ...(times.length > 0 && { timesOutAtMs: Math.min(...times) }),
  };
}

export function eventToJson({ version, atMs, status, cause, details }: ExecutionEvent) {
  return { version, atMs, status, cause, ...(details !== undefined && { statusDetails: { ...details } }) };
}
