import { z } from 'zod';

/** Settings of forwarders, which all share what the log keeps for them. */
export const FORWARDING_SETTINGS = z
  .strictObject({
    maxBacklogBytes: z.coerce
      .number()
      .int()
      .positive()
      .default(17_179_869_184)
      .describe(
        'Bytes of the log that are kept for forwarders whose targets are slow or dead, for each gateway thread; what they have not sent beyond that is skipped and counted. Never more than the volume has left.',
      ),
    maxBacklogHours: z.coerce.number().positive().default(72).describe('Hours for which records are kept for them at most.'),
  })
  .prefault({});

const HOUR_MS = 3_600_000;

/** As the log and the forwarders take it. */
export function backlogBounds({ maxBacklogBytes, maxBacklogHours }: z.infer<typeof FORWARDING_SETTINGS>): {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
} {
  return { maxBytes: maxBacklogBytes, maxAgeMs: maxBacklogHours * HOUR_MS };
}
