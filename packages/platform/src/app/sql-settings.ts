import { z } from 'zod';

const whole = z.coerce.number().int();

/** Settings of SQL over telemetry. */
export const SQL_SETTINGS = z
  .strictObject({
    memoryBytes: whole
      .min(64 * 1024 ** 2)
      .default(512 * 1024 ** 2)
      .describe(
        'Bytes that the engine may take for one query; what does not fit is written aside where it can be, up to 2 GiB. Its process may take 640 MiB more.',
      ),
    maxSeconds: z.coerce
      .number()
      .min(1)
      .max(600)
      .default(60)
      .describe('Seconds that one query may take; then its process is ended.'),
    maxRows: whole.min(1).max(100_000_000).default(1_000_000).describe('Rows of one answer; a query that has more is refused.'),
    maxResultBytes: whole
      .min(1024 ** 2)
      .default(256 * 1024 ** 2)
      .describe('Bytes of one answer; a larger one is refused.'),
    concurrency: whole
      .min(1)
      .max(16)
      .default(2)
      .describe('Queries that run at one time, each in a process of its own; 32 more wait for their turn.'),
  })
  .prefault({});
