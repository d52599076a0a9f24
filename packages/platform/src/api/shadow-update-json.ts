import { z } from 'zod';
import { progressOf, type ShadowUpdate } from '../shadows/bulk/shadow-update.ts';

const count = z.number();
const stateSchema = z.record(z.string(), z.unknown());

export const shadowUpdateSchema = z
  .object({
    id: z.string(),
    kind: z
      .enum(['desired', 'defaults'])
      .describe(
        '`desired`: somebody asked for it. `defaults`: it brings to devices what they inherit, as a default or a group was changed.',
      ),
    state: z.enum(['running', 'done', 'cancelled']),
    target: z.string().describe('As it was asked for; `devices` where they were named one by one.'),
    shadow: z.string().optional().describe('Absent: the classic one. `*`: all that have defaults.'),
    desired: stateSchema,
    expectedVersion: count.optional(),
    ratePerSec: count.describe('Devices a second, at most.'),
    startedBy: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    total: count.describe('Devices that were meant when it was made.'),
    done: count,
    unchanged: count.describe('They had it already, or are no more.'),
    failed: count,
    left: count,
    observedPerSec: count.describe('Devices a second until now.'),
    etaMs: count.optional().describe('How long it will take from now on, about. Absent: it is over.'),
    createdAtMs: count,
    updatedAtMs: count,
    finishedAtMs: count.optional(),
  })
  .describe('An update of the shadows of many devices, as far as it has come.');

export const shadowUpdateFailureSchema = z
  .object({ device: z.string(), code: z.string(), reason: z.string().describe('For people.') })
  .describe('A device that an update could not be applied to.');

/** An update as the answers have it. */
export function shadowUpdateToJson(update: ShadowUpdate): z.input<typeof shadowUpdateSchema> {
  const { shadow, desired, startedBy, ...others } = update;
  const { left, observedPerSec, etaMs } = progressOf(update);
  return {
    ...others,
    ...(shadow !== '' && { shadow }),
    desired: { ...desired },
    startedBy: { kind: startedBy.kind, id: startedBy.id, name: startedBy.name },
    left,
    observedPerSec,
    ...(etaMs !== undefined && { etaMs }),
  };
}
