import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { ArchivedObject } from '../archive/archive-index.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone'] as const;
/** It holds what all devices have sent. */
const READ = { permission: 'storage:read', everything: true } as const;
const WRITE = { permission: 'storage:write', everything: true } as const;
const tags = ['storage'];

const statusSchema = z
  .object({
    state: z
      .enum(['off', 'idle', 'working', 'failing', 'misplaced'])
      .describe(
        'off: none is configured. idle: all that is due is archived. failing: the last try failed and is repeated. misplaced: its objects are not where it is configured to be.',
      ),
    target: z.enum(['off', 'disk', 's3']),
    place: z.string().optional().describe('Where the objects are.'),
    objects: z.number().int(),
    bytes: z.number().int().describe('Of all objects.'),
    points: z.number().int(),
    backlogHours: z.number().int().describe('Hours that are over and not archived as they are.'),
    lagMs: z.number().int().describe('How long the oldest of them is over, ms.'),
    openErasures: z.number().int().describe('Devices whose telemetry is being erased.'),
    lastStoredAtMs: z.number().int().optional().describe('When objects were stored last, since the start of the server.'),
    failures: z.number().int().describe('Since the start of the server.'),
    lastError: z.object({ code: z.string(), message: z.string(), atMs: z.number().int() }).optional(),
  })
  .describe('What is archived, and what waits.');

const objectSchema = z.object({
  id: z.number().int(),
  key: z.string().describe('In the folder, or in the bucket after its prefix.'),
  deviceType: z.string().optional().describe('Absent: devices without a type.'),
  day: z.iso.date().describe('UTC.'),
  hour: z.number().int().optional().describe('Absent: hours of the day joined in one.'),
  bytes: z.number().int(),
  sha256: z.string(),
  points: z.number().int(),
  firstMs: z.number().int().describe('Time of the oldest point.'),
  lastMs: z.number().int().describe('Time of the newest point.'),
  firstDevice: z.string(),
  lastDevice: z.string(),
  storedAtMs: z.number().int(),
});

export type ArchiveStatusJson = z.infer<typeof statusSchema>;
export type ArchivedObjectJson = z.infer<typeof objectSchema>;

/** The Parquet archive: how it gets on, and what is in it. */
export function archiveRoutes({ archive }: Pick<ApiDependencies, 'archive'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/archive',
      {
        config: READ,
        schema: {
          operationId: 'getArchive',
          summary: 'Show how the archive gets on',
          tags,
          querystring: none,
          response: { 200: statusSchema, ...problems(...THREAD) },
        },
      },
      async () => {
        const { place, lastStoredAtMs, lastError, ...status } = await archive.status();
        return {
          ...status,
          ...(place === undefined ? {} : { place }),
          ...(lastStoredAtMs === undefined ? {} : { lastStoredAtMs }),
          ...(lastError === undefined ? {} : { lastError }),
        };
      },
    );

    app.get(
      '/archive/objects',
      {
        config: READ,
        schema: {
          operationId: 'listArchiveObjects',
          summary: 'List the objects that count',
          description: 'While objects are replaced, a listing of the bucket has the old ones too: this list never has both.',
          tags,
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 1_000, default: 100 }).describe('Objects at most.'),
            cursor: wholeNumber({ min: 0, max: 999_999_999_999_999, default: 0 }).describe('What an earlier answer gave.'),
          }),
          response: {
            200: z
              .object({
                items: z.array(objectSchema).describe('Ordered by id.'),
                cursor: z.string().optional().describe('Present when there are more.'),
              })
              .describe('Archived objects.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const found = archive.objects({ after: cursor, limit: limit + 1 });
        const items = found.slice(0, limit);
        return {
          items: items.map(objectJson),
          ...(found.length > limit ? { cursor: String(items.at(-1)?.id ?? 0) } : {}),
        };
      },
    );

    app.post(
      '/archive/run',
      {
        config: WRITE,
        schema: {
          operationId: 'runArchive',
          summary: 'Archive what is over now',
          description:
            'Hours are archived some time after their end, when no more points come. This does not wait; what comes later is archived later. The answer is given before it is done.',
          tags,
          querystring: none,
          response: { 202: z.object({}).describe('It is being done.'), ...problems('archive.off', ...THREAD) },
        },
      },
      async (_request, reply) => {
        await archive.archiveNow();
        return await reply.code(202).send({});
      },
    );
  };
}

function objectJson(object: ArchivedObject): ArchivedObjectJson {
  const { id, key, deviceType, day, hour, sizeBytes, sha256, rows, firstMs, lastMs, firstDevice, lastDevice } = object;
  return {
    id,
    key,
    ...(deviceType === undefined ? {} : { deviceType }),
    day: new Date(day * DAY_MS).toISOString().slice(0, -14),
    ...(hour === undefined ? {} : { hour }),
    bytes: sizeBytes,
    sha256,
    points: rows,
    firstMs,
    lastMs,
    firstDevice,
    lastDevice,
    storedAtMs: object.storedMs,
  };
}
