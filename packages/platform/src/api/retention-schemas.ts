import { z } from 'zod';
import { effectiveDays } from '../retention/kept-levels.ts';
import type { PlannedStep, RetentionPlan } from '../retention/retention-plan.ts';
import { MAX_KEEP_DAYS, MAX_METRIC_PATTERN, MAX_POLICIES, type RetentionPolicyDraft } from '../retention/retention-policies.ts';
import { LEVELS, type KeepDays, type RetentionPolicy } from '../retention/retention-policy.ts';
import type { PassReport } from '../retention/retention-runner.ts';

const days = z.int().min(1).max(MAX_KEEP_DAYS).nullable();

export const keepDaysSchema = z
  .strictObject({
    raw: days.optional().describe('Points as they came.'),
    hourly: days.optional().describe('What is known of each hour; at least as long as raw.'),
    daily: days.optional().describe('What is known of each day; at least as long as hourly.'),
    archive: days.optional().describe('Archived points, where there is an archive.'),
  })
  .describe('Whole days; null: for ever. A level that is missing is as a less specific policy has it.');

const conditions = {
  deviceType: z.string().max(64).optional().describe('Devices of this type.'),
  group: z.string().max(512).optional().describe('Devices in this group and below.'),
  metric: z.string().min(1).max(MAX_METRIC_PATTERN).optional().describe('This metric; `*` stands for any characters.'),
};

export const policyBodySchema = z.strictObject({ ...conditions, keepDays: keepDaysSchema });

export const policySchema = z
  .object({
    name: z.string(),
    ...conditions,
    keepDays: keepDaysSchema,
    effectiveDays: z
      .object({ raw: days, hourly: days, daily: days, archive: days })
      .describe(
        'How long each level is really kept where no policy but this one and `default` says something of it: coarser points stay at least as long as finer ones.',
      ),
    updatedAtMs: z.number().optional().describe('Absent: it is as it was made.'),
  })
  .describe('A retention policy.');

export const changedPoliciesSchema = z
  .array(z.strictObject({ name: z.string().min(1).max(64), ...policyBodySchema.shape }))
  .max(MAX_POLICIES)
  .describe('Policies in the place of those with their names, or beside them: for this answer alone.');

const BLOCKED = [
  'gone',
  'changed',
  'hot-points',
  'stale-hours',
  'not-durable',
  'bad-copy',
  'held',
  'not-archived',
  'finer-kept',
  'no-room',
  'failed',
] as const satisfies readonly NonNullable<PlannedStep['blocked']>[];

export const blockedSchema = z
  .enum(BLOCKED)
  .describe(
    'Why it stays for now. held: by a legal hold. not-archived: the archive does not have it yet. hot-points, stale-hours, not-durable, changed: points of it have just come, minutes. finer-kept: finer points of the same days have to go first. no-room: what has to stay would have to be copied.',
  );

const stepSchema = z.object({
  level: z.enum(LEVELS),
  file: z.string(),
  from: z.iso.date().describe('UTC.'),
  to: z.iso.date().describe('UTC, included.'),
  action: z.enum(['drop', 'trim']).describe('drop: all of it goes. trim: some series of it go.'),
  bytes: z.number().int().describe('What it takes now.'),
  freesBytes: z.number().int().describe('What it gives back: exact for drop, by the share of its points for trim.'),
  blocked: blockedSchema.optional(),
});

export const planSchema = z
  .object({
    atMs: z.number(),
    freesBytes: z.number().int().describe('Without what is blocked.'),
    steps: z.array(stepSchema).describe('The oldest first, finer before coarser; at most 10,000.'),
    more: z.int().describe('Steps that are not shown.'),
    refused: z.string().optional().describe('Why nothing goes by its age for now, whatever the steps say.'),
  })
  .describe('What would go, and how much that frees.');

export const passSchema = z
  .object({
    atMs: z.number(),
    freedBytes: z.number().int(),
    files: z.number().int(),
    blocked: z
      .array(z.object({ file: z.string(), because: blockedSchema }))
      .describe('What is too old and stays; at most 10,000.'),
    refused: z.string().optional(),
    interrupted: z.boolean().describe('Policies or holds were changed meanwhile: it is done again at once.'),
  })
  .describe('What a pass has let go.');

const MAX_STEPS = 10_000;

export function planJson({ atMs, freesBytes, steps, refused }: RetentionPlan): z.infer<typeof planSchema> {
  return {
    atMs,
    freesBytes,
    steps: steps.slice(0, MAX_STEPS).map(({ sizeBytes, ...step }) => ({ ...step, bytes: sizeBytes })),
    more: Math.max(0, steps.length - MAX_STEPS),
    ...(refused !== undefined && { refused: refused.message }),
  };
}

export function passJson({ blocked, ...pass }: PassReport): z.infer<typeof passSchema> {
  return { ...pass, blocked: blocked.slice(0, MAX_STEPS) };
}

/** @param ofDefault the policy `default` */
export function policyJson(
  { updatedAtMs, ...policy }: RetentionPolicy,
  ofDefault: RetentionPolicy,
): z.infer<typeof policySchema> {
  const effective = effectiveDays(policy.keepDays, ofDefault.keepDays);
  return { ...policy, effectiveDays: effective, ...(updatedAtMs > 0 && { updatedAtMs }) };
}

export function policyDraft({
  name,
  ...body
}: { readonly name: string } & z.infer<typeof policyBodySchema>): RetentionPolicyDraft {
  const { deviceType, group, metric, keepDays } = body;
  return {
    name,
    ...(deviceType !== undefined && { deviceType }),
    ...(group !== undefined && { group }),
    ...(metric !== undefined && { metric }),
    keepDays: Object.fromEntries(Object.entries(keepDays).filter(([, kept]) => kept !== undefined)) as KeepDays, // its own keys
  };
}
