import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { ArchivedObject } from '../archive/archive-index.ts';
import type { BadObject } from '../archive/object-faults.ts';
import { access } from './access-guard.ts';
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
      .enum(['off', 'idle', 'working', 'failing', 'misplaced', 'unknown-objects', 'rebuilding'])
      .describe(
        'off: none is configured. idle: all that is due is archived. failing: the last try failed and is repeated. misplaced: its objects are not where it is configured to be. unknown-objects: there are objects that the manifest does not know; nothing is archived until they are taken over. rebuilding: they are being taken over.',
      ),
    target: z.enum(['off', 'disk', 's3']),
    place: z.string().optional().describe('Where the objects are.'),
    objects: z.number().int(),
    bytes: z.number().int().describe('Of all objects.'),
    points: z.number().int(),
    backlogHours: z.number().int().describe('Hours that are over and not archived as they are.'),
    lagMs: z.number().int().describe('How long the oldest of them is over, ms.'),
    openErasures: z.number().int().describe('Devices whose telemetry is being erased.'),
    badObjects: z.number().int().describe('Archived objects that are damaged or gone: everything else goes on without them.'),
    rebuild: z
      .object({
        found: z.number().int().describe('Objects that the manifest did not know.'),
        adopted: z.number().int().describe('Taken over.'),
        outdated: z.number().int().describe('Deleted, for another one has their points.'),
        left: z.number().int().describe('They cannot be read, or are not what their key says: left where they are.'),
      })
      .optional()
      .describe('The last rebuild since the start of the server, or the one that is under way.'),
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

const badObjectSchema = z
  .object({
    ...objectSchema.shape,
    code: z
      .string()
      .describe(
        'data.corrupt: it is not what was archived. archive.object-gone: it is not there. Others: what failed when it was used.',
      ),
    message: z.string(),
    sinceMs: z.number().int(),
    triedAtMs: z.number().int(),
    tries: z.number().int(),
    nextTryMs: z.number().int().describe('When it is looked at again: after a minute, 4, 16, … 6 hours at most.'),
  })
  .describe('An archived object that cannot be used.');

const runSchema = z
  .object({
    left: z
      .object({
        because: z
          .enum(['replaying', 'behind', 'busy', 'failing'])
          .describe(
            'replaying: the log of before the start is being read. behind: the log grows faster than it is read. busy: it took more than a minute. failing: the store cannot be written.',
          ),
        waiting: z.number().int().describe('Messages in the log that are not read (replaying, behind), or points in memory.'),
      })
      .optional()
      .describe('What had come and is not stored yet: it is archived later. Absent: nothing.'),
  })
  .describe('It is being done.');

export type ArchiveRunJson = z.infer<typeof runSchema>;
export type BadObjectJson = z.infer<typeof badObjectSchema>;
export type ArchiveStatusJson = z.infer<typeof statusSchema>;
export type ArchivedObjectJson = z.infer<typeof objectSchema>;

/** The Parquet archive: how it gets on, and what is in it. */
export function archiveRoutes({ archive, audit }: Pick<ApiDependencies, 'archive' | 'audit'>): FastifyPluginAsyncZod {
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
        const { place, lastStoredAtMs, lastError, rebuild, ...status } = await archive.status();
        return {
          ...status,
          ...(place === undefined ? {} : { place }),
          ...(lastStoredAtMs === undefined ? {} : { lastStoredAtMs }),
          ...(lastError === undefined ? {} : { lastError }),
          ...(rebuild === undefined ? {} : { rebuild }),
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
            'Hours are archived some time after their end, when no more points come. This does not wait; what comes later is archived later. What is in memory is stored first, and objects that could not be used are looked at again. The answer is given once that is stored, before it is archived.',
          tags,
          querystring: none,
          response: { 202: runSchema, ...problems('archive.off', ...THREAD) },
        },
      },
      async (_request, reply) => {
        const flushed = await archive.archiveNow();
        return await reply.code(202).send(flushed.done ? {} : { left: { because: flushed.because, waiting: flushed.waiting } });
      },
    );

    app.get(
      '/archive/bad-objects',
      {
        config: READ,
        schema: {
          operationId: 'listBadArchiveObjects',
          summary: 'List the objects that cannot be used',
          description:
            'Each is left as it is and looked at again from time to time. Erasures of devices that it may have points of wait for it, and so do late points of its hour; all else goes on.',
          tags,
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 1_000, default: 100 }).describe('Objects at most.'),
            cursor: wholeNumber({ min: 0, max: 999_999_999_999_999, default: 0 }).describe('What an earlier answer gave.'),
          }),
          response: {
            200: z
              .object({
                items: z.array(badObjectSchema).describe('Ordered by id.'),
                cursor: z.string().optional().describe('Present when there are more.'),
              })
              .describe('Objects that cannot be used.'),
            ...problems(...THREAD),
          },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const found = await archive.badObjects({ after: cursor, limit: limit + 1 });
        const items = found.slice(0, limit);
        return {
          items: items.map(badObjectJson),
          ...(found.length > limit ? { cursor: String(items.at(-1)?.object.id ?? 0) } : {}),
        };
      },
    );

    app.post(
      '/archive/bad-objects/:id/give-up',
      {
        config: WRITE,
        schema: {
          operationId: 'giveUpArchiveObject',
          summary: 'Give up an object that is damaged or gone',
          description:
            'It is taken out of the archive and deleted, with all that could still have been saved of it. It is compared once more before: one that is what was archived stays. What the store has of its hours is archived again. Not while a legal hold may cover a device of it.',
          tags,
          params: z.object({
            id: z
              .string()
              .regex(/^\d{1,15}$/, 'must be the id of an object')
              .describe('The id of the object.'),
          }),
          response: {
            200: badObjectSchema,
            ...problems(
              'archive.off',
              'archive.object-not-found',
              'archive.object-sound',
              'archive.cache-full',
              'hold.active',
              'blobs.unavailable',
              'blobs.refused',
              ...THREAD,
            ),
          },
        },
      },
      async (request) => {
        const { actor } = access(request);
        const given = badObjectJson(await archive.giveUp(Number(request.params.id)));
        const object = { kind: 'archived-object', id: String(given.id) };
        await audit.record([{ actor, action: 'archive.give-up', object, group: '/', before: given, after: undefined }]);
        return given;
      },
    );

    app.post(
      '/archive/rebuild',
      {
        config: WRITE,
        schema: {
          operationId: 'rebuildArchive',
          summary: 'Take over objects that the manifest does not know',
          description:
            'Where the manifest was lost, or is an old copy: every object in the store that it does not know is read whole, and taken over. Objects are never written over. The answer is given before it is done, and it goes on after a restart.',
          tags,
          querystring: none,
          response: { 202: z.object({}).describe('It is being done.'), ...problems('archive.off', ...THREAD) },
        },
      },
      async (request, reply) => {
        const { actor } = access(request);
        await archive.rebuild();
        const object = { kind: 'archive', id: 'archive' };
        await audit.record([{ actor, action: 'archive.rebuild', object, group: '/', before: undefined, after: undefined }]);
        return await reply.code(202).send({});
      },
    );
  };
}

function badObjectJson({ object, code, message, sinceMs, triedMs, tries, nextTryMs }: BadObject): BadObjectJson {
  return { ...objectJson(object), code, message, sinceMs, triedAtMs: triedMs, tries, nextTryMs };
}

function objectJson(object: Omit<ArchivedObject, 'hidden'>): ArchivedObjectJson {
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
