import { z } from 'zod';

/** Settings of retention: how long what is kept is said by its policies (/api/v1/retention). */
export const RETENTION_SETTINGS = z
  .strictObject({
    freeFloorBytes: z.coerce
      .number()
      .int()
      .min(0)
      .default(1_073_741_824)
      .describe(
        'Bytes of the volume of the data folder that stay free, at most a twentieth of it. It is told of at twice as much. 0: no floor.',
      ),
    whenShort: z
      .enum(['drop-oldest', 'refuse'])
      .default('drop-oldest')
      .describe(
        'Below the floor. drop-oldest: the oldest raw telemetry is let go, a day at a time, but for what is held or not archived. refuse: telemetry is refused.',
      ),
  })
  .prefault({});
