import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { StorageReport } from '../retention/storage-report.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const none = z.strictObject({});
const bytes = z.number().int();

const partSchema = z.object({
  bytes,
  files: z.number().int(),
  from: z.iso.date().optional().describe('UTC.'),
  to: z.iso.date().optional().describe('UTC, included.'),
});

const storageSchema = z
  .object({
    atMs: z.number(),
    volume: z.object({
      state: z
        .enum(['ok', 'low', 'short', 'refusing'])
        .describe(
          'low: less than two floors are free. short: less than the floor, and the oldest raw telemetry goes. refusing: telemetry is refused.',
        ),
      sizeBytes: bytes,
      freeBytes: bytes,
      floorBytes: bytes.describe('`retention.freeFloorBytes`, at most a twentieth of the volume.'),
      whenShort: z.enum(['drop-oldest', 'refuse']),
      sinceMs: z.number().describe('When the state was another last.'),
    }),
    levels: z.object({
      raw: partSchema,
      hourly: partSchema,
      daily: partSchema.describe('`from` is the first day of a month.'),
    }),
    future: partSchema.describe('Of raw: days that are still to come, of devices whose clock is wrong. They do not grow old.'),
    broken: partSchema.describe('Files that could not be read and were set aside (`*.broken-*`).'),
    archive: partSchema.describe('Archived objects in a folder of this volume.'),
    archiveElsewhere: partSchema.describe('Archived objects in S3, or on another volume: they take nothing of this one.'),
    archiveCache: partSchema.describe('Copies of objects that are kept here for queries, at most `archive.cacheBytes`.'),
    log: partSchema.describe('Records that are kept for a restart, for forwarders, and for sessions.'),
    other: partSchema.describe('The rest of the data folder.'),
    forecast: z
      .object({
        bytesPerDay: z.object({ raw: bytes, hourly: bytes, daily: bytes }),
        rateOf: z.iso
          .date()
          .optional()
          .describe('The day whose raw points are taken for the rate: the last whole one, or today.'),
        archive: z
          .object({
            bytes: bytes.describe('Of all objects, now.'),
            bytesPerDay: bytes.describe('The mean of the days of the last week that are archived.'),
            onVolume: z.boolean().describe('false: it is elsewhere, and takes nothing of what is free here.'),
          })
          .optional()
          .describe('Absent: nothing is archived.'),
        points: z.array(
          z.object({
            atMs: z.number(),
            inDays: z.number().int(),
            bytes: bytes.describe('All levels.'),
            archiveBytes: bytes.describe('Wherever it is.'),
            freeBytes: bytes,
          }),
        ),
        floorAtMs: z.number().optional().describe('When the floor is reached; absent: not within ten years.'),
        steadyBytes: bytes
          .optional()
          .describe(
            'What the levels, and an archive on the volume, come to in the end; absent where something is kept for ever.',
          ),
      })
      .describe('As it goes on at this rate, by the policies as they are.'),
  })
  .describe('What takes how much, and where that leads.');

export type StorageJson = z.infer<typeof storageSchema>;

/** What takes how much of the disk, and where that leads. */
export function storageRoutes({ retention }: Pick<ApiDependencies, 'retention'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/storage',
      {
        config: { permission: 'storage:read', everything: true },
        schema: {
          operationId: 'getStorage',
          summary: 'Show what takes how much of the disk, and where that leads',
          tags: ['storage'],
          querystring: none,
          response: { 200: storageSchema, ...problems('thread.timeout', 'thread.gone') },
        },
      },
      async () => shown(await retention.storage()),
    );
  };
}

function shown({ forecast, rateOf, ...report }: StorageReport): StorageJson {
  const { bytesPerDay, archive, points, floorAtMs, steadyBytes } = forecast;
  return {
    ...report,
    forecast: {
      bytesPerDay,
      ...(rateOf !== undefined && { rateOf }),
      ...(archive !== undefined && { archive }),
      points: [...points],
      ...(floorAtMs !== undefined && { floorAtMs }),
      ...(steadyBytes !== undefined && { steadyBytes }),
    },
  };
}
