import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import {
  archivedObjectJson,
  archivedObjectSchema,
  archiveRunSchema,
  archiveStatusSchema,
  badObjectJson,
  badObjectSchema,
} from './archive-schemas.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone'] as const;
/** It holds what all devices have sent. */
const READ = { permission: 'storage:read', everything: true } as const;
const WRITE = { permission: 'storage:write', everything: true } as const;
const tags = ['storage'];
const objectPage = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1_000, default: 100 }).describe('Objects at most.'),
  cursor: wholeNumber({ min: 0, max: 999_999_999_999_999, default: 0 }).describe('What an earlier answer gave.'),
});

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
          response: { 200: archiveStatusSchema, ...problems(...THREAD) },
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
          querystring: objectPage,
          response: {
            200: z
              .object({
                items: z.array(archivedObjectSchema).describe('Ordered by id.'),
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
        return pageOf(found.map(archivedObjectJson), limit);
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
          response: { 202: archiveRunSchema, ...problems('archive.off', ...THREAD) },
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
          querystring: objectPage,
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
        return pageOf(found.map(badObjectJson), limit);
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
              'archive.misplaced',
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

/** @param found ordered by id, one more than `limit` where there are more */
function pageOf<T extends { readonly id: number }>(found: readonly T[], limit: number): { items: T[]; cursor?: string } {
  const items = found.slice(0, limit);
  return { items, ...(found.length > limit ? { cursor: String(items.at(-1)?.id ?? 0) } : {}) };
}
