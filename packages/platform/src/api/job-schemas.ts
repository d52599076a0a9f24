import { z } from 'zod';
import { MAX_TARGETS } from '../jobs/rollout/job-targets.ts';
import type { JobPatch } from '../jobs/rollout/job-works.ts';
import { abortSchema, configFields, endBehavior, retrySchema, rolloutSchema, timeField, timeOf } from './job-config-schema.ts';
import { groupField } from './people-schemas.ts';

const description = z.string().max(2_000);

export const jobDraftSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -'),
  group: groupField.optional().describe('Absent: the nearest group in which all of its targets are.'),
  targets: z
    .array(z.string().max(600))
    .min(1)
    .max(MAX_TARGETS)
    .describe('`device:ID`, `group:/PATH` (and below), `fleet:ID`, `type:NAME`; a device in several gets one execution.'),
  targetSelection: z
    .enum(['snapshot', 'continuous'])
    .default('snapshot')
    .describe('`continuous`: also whoever joins the targets later; who leaves before being through is REMOVED.'),
  document: z
    .record(z.string(), z.unknown())
    .describe('What devices are given: at most 32 KB. `${parameters.NAME}` in its texts is replaced.'),
  parameters: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), z.string().max(4_096)).optional(),
  description: description.optional(),
  ...configFields,
});

export const jobPatchSchema = z
  .strictObject({
    description: description.nullable().optional(),
    rollout: rolloutSchema.nullable().optional(),
    abort: abortSchema.nullable().optional(),
    retry: retrySchema.nullable().optional(),
    schedule: z
      .strictObject({ endTime: timeField.nullable().optional(), endBehavior: endBehavior.nullable().optional() })
      .optional(),
  })
  .describe('What is absent stays, null takes it away.');

/** @throws SelsynError `request.invalid` for a time that is none. */
export function patchOf({ schedule, ...patch }: z.output<typeof jobPatchSchema>, nowMs: number): JobPatch {
  const endTime = schedule?.endTime;
  const endTimeMs = endTime === undefined || endTime === null ? endTime : timeOf('schedule.endTime', endTime, nowMs);
  // What the schemas take is what the types say; zod's know no readonly.
  return { ...(patch as JobPatch), endTimeMs, endBehavior: schedule?.endBehavior };
}
