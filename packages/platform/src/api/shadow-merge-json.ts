import { z } from 'zod';
import { MERGE_POLICIES } from '../shadows/replicas/merge-policy.ts';
import type { MergeAnswer } from '../shadows/replicas/replica-calls.ts';

const sectionSchema = z.record(z.string(), z.unknown());

const sideSchema = z.object({
  value: z.unknown(),
  timestamp: z.number().describe('When it was written, s since 1970.'),
  replica: z.string().describe('Who wrote it; `cloud`: this server.'),
});

export const conflictSchema = z
  .object({
    section: z.enum(['desired', 'reported']),
    path: z.string().describe('A JSON Pointer (RFC 6901) within the section.'),
    ours: sideSchema.describe('What was here.'),
    theirs: sideSchema.describe('What the edge had.'),
    chosen: z.enum(['ours', 'theirs', 'merged']),
    value: z.unknown().optional().describe('Where it was merged. Absent: the field was taken away.'),
    by: z.enum(MERGE_POLICIES).describe('The policy that decided.'),
    fault: z.string().optional().describe('Why the script did not decide.'),
  })
  .describe('A field that was written on both sides while they were apart.');

export const edgeStateFields = {
  state: z
    .strictObject({ desired: sectionSchema.optional(), reported: sectionSchema.optional() })
    .describe('All that the edge has. What is not there was taken away, if its write has been seen.'),
  stamps: z
    .strictObject({ desired: sectionSchema.optional(), reported: sectionSchema.optional() })
    .describe(
      'The same trees with `[timestampSec, count, replica]` for each value: when it was written, by whom (without a name: this server), ' +
        'and the how manyth write of this replica it was (of this server: the version). An array is one value.',
    ),
};

export const mergedSchema = z
  .object({
    version: z.number().describe('In the clock of the edge from now on: `cloud`.'),
    createdAtMs: z.number().describe('Another one than the edge knew: what the edge had from here before is void.'),
    clock: z.record(z.string(), z.number()).describe('How many writes of each edge are in it.'),
    ...edgeStateFields,
    inherited: sectionSchema.optional().describe('What its groups and its type ask, where `desired` says nothing else.'),
    conflicts: z.array(conflictSchema),
  })
  .describe('What the edge has to have.');

export function mergedToJson({ document, conflicts }: MergeAnswer): z.input<typeof mergedSchema> {
  const { version, createdAtMs, clock = {}, desired, reported, inherited, stamps } = document;
  return {
    version,
    createdAtMs,
    clock: { ...clock },
    state: {
      ...(desired !== undefined && { desired: { ...desired } }),
      ...(reported !== undefined && { reported: { ...reported } }),
    },
    stamps: {
      ...(stamps.desired !== undefined && { desired: { ...stamps.desired } }),
      ...(stamps.reported !== undefined && { reported: { ...stamps.reported } }),
    },
    ...(inherited !== undefined && { inherited: { ...inherited } }),
    conflicts: [...conflicts],
  };
}
