import { z } from 'zod';
import { MAX_RATE_PER_MINUTE, MAX_TIMEOUT_MINUTES, MAX_WINDOWS } from '../jobs/rollout/check-config.ts';
import type { JobConfig } from '../jobs/rollout/job-config.ts';
import { parseTime } from '../kernel/time-text.ts';
import { parseField } from './parameters.ts';
import { invalidRequest } from './problem.ts';

const rate = z.number().int().min(1).max(MAX_RATE_PER_MINUTE);
const many = z.number().int().min(1);

export const rolloutSchema = z
  .strictObject({
    maximumPerMinute: rate.optional(),
    exponential: z
      .strictObject({
        baseRatePerMinute: rate,
        incrementFactor: z.number().min(1.1).max(5),
        rateIncreaseCriteria: z
          .strictObject({ numberOfNotifiedThings: many.optional(), numberOfSucceededThings: many.optional() })
          .describe('Each time that so many more devices were told, or have succeeded.'),
      })
      .optional()
      .describe('Begins at the base rate, which grows by the factor each time that the criterion is met, up to the maximum.'),
  })
  .describe('How many devices get their execution a minute. Absent: all at once.');

export const abortSchema = z
  .strictObject({
    criteria: z
      .array(
        z.strictObject({
          failureType: z.enum(['FAILED', 'REJECTED', 'TIMED_OUT', 'ALL']),
          action: z.literal('CANCEL').default('CANCEL'),
          thresholdPercentage: z.number().gt(0).max(100).describe('Of the devices that are through with it.'),
          minNumberOfExecutedThings: many.describe('Not before so many are through.'),
        }),
      )
      .min(1)
      .max(8),
  })
  .describe('Cancels the job when too many fail. A device that is tried again has not failed yet.');

export const timeoutSchema = z
  .strictObject({ inProgressMinutes: z.number().int().min(1).max(MAX_TIMEOUT_MINUTES) })
  .describe('An execution that is IN_PROGRESS for longer becomes TIMED_OUT.');

export const retrySchema = z
  .strictObject({
    criteria: z
      .array(
        z.strictObject({
          failureType: z.enum(['FAILED', 'TIMED_OUT', 'ALL']),
          numberOfRetries: z.number().int().min(0).max(10),
        }),
      )
      .min(1)
      .max(4),
  })
  .describe('Each retry is another execution with the next number.');

export const endBehavior = z
  .enum(['STOP_ROLLOUT', 'CANCEL', 'FORCE_CANCEL'])
  .describe('What becomes of executions that have not ended by then: they go on, those QUEUED are cancelled, or all are.');

const windowSchema = z.strictObject({
  startTime: z.string().min(9).max(200).describe('A cron expression of five fields, by the clocks of the device: `0 2 * * 1-5`.'),
  durationMinutes: z.number().int().min(1).max(10_080),
});

export const timeField = z.union([z.number().int().min(0), z.string().max(64)]);
const TIME = 'ms since 1970, ISO 8601, or `now+1h`';

const scheduleSchema = z
  .strictObject({
    startTime: timeField.optional().describe(`${TIME}. Absent: at once.`),
    endTime: timeField.optional().describe(`${TIME}; at least 30 minutes after the start.`),
    endBehavior: endBehavior.optional(),
    maintenanceWindows: z
      .array(windowSchema)
      .max(MAX_WINDOWS)
      .optional()
      .describe('Executions are given out, and begun, only in these.'),
    timeZone: z.string().max(64).optional().describe('Of devices that name none: `Europe/Berlin`. Absent: UTC.'),
    timeZoneAttribute: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('The attribute of a device that names its time zone. Absent: `timeZone`.'),
  })
  .describe('When it begins and ends, and when in a day devices may do it.');

/** How a job goes out. */
export const configFields = {
  rollout: rolloutSchema.optional(),
  abort: abortSchema.optional(),
  timeout: timeoutSchema.optional(),
  retry: retrySchema.optional(),
  schedule: scheduleSchema.optional(),
};
const configSchema = z.strictObject(configFields);

/** How a job goes out, from JSON of somebody. @throws SelsynError `request.invalid` that names each wrong field */
export function jobConfigOf(value: unknown, nowMs: number): JobConfig {
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return withTimes(parsed.data, nowMs);
  throw invalidRequest(
    parsed.error.issues.map(({ path, message }) => ({ in: 'body', field: ['config', ...path.map(String)].join('.'), message })),
    parsed.error,
  );
}

/** As the jobs take it: times as ms. @throws SelsynError `request.invalid` for a time that is none. */
export function withTimes({ rollout, abort, timeout, retry, schedule }: z.output<typeof configSchema>, nowMs: number): JobConfig {
  const { startTime, endTime, ...rest } = schedule ?? {};
  const times = {
    ...(startTime !== undefined && { startTimeMs: timeOf('schedule.startTime', startTime, nowMs) }),
    ...(endTime !== undefined && { endTimeMs: timeOf('schedule.endTime', endTime, nowMs) }),
  };
  const config = {
    rollout,
    abort,
    timeout,
    retry,
    ...(schedule !== undefined && { schedule: definedOnly({ ...rest, ...times }) }),
  };
  return definedOnly(config);
}

/** @throws SelsynError `request.invalid` */
export function timeOf(field: string, value: number | string, nowMs: number): number {
  return parseField('body', field, () => parseTime(String(value), nowMs));
}

function definedOnly(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
