import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HoldTarget, LegalHold } from '../retention/legal-hold.ts';
import { MAX_REASON } from '../retention/legal-holds.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const params = z.object({
  id: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the number of a hold')
    .describe('The number of the hold.'),
});
const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone'] as const;
const BODY = ['request.too-large', 'request.unsupported-media-type', ...THREAD] as const;
const READ = { permission: 'storage:read' } as const;
const WRITE = { permission: 'storage:write' } as const;
const tags = ['storage'];

const targetSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('device'), device: z.string().max(128) }),
    z.strictObject({ kind: z.literal('group'), group: z.string().max(512).describe('And all below it.') }),
    z.strictObject({ kind: z.literal('type'), deviceType: z.string().max(64) }),
  ])
  .describe('A hold on a type takes somebody who may act everywhere.');

const holdSchema = z
  .object({
    id: z.string(),
    target: targetSchema,
    reason: z.string(),
    createdAtMs: z.number(),
    createdBy: z.string(),
    releasedAtMs: z.number().optional().describe('Absent while it is in force.'),
    releasedBy: z.string().optional(),
  })
  .describe('A legal hold.');

/** Legal holds: what they cover stays, whatever its age, whoever asks. */
export function holdRoutes({ retention }: Pick<ApiDependencies, 'retention'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/holds',
      {
        config: READ,
        schema: {
          operationId: 'listHolds',
          summary: 'List legal holds, newest first',
          tags,
          querystring: z.strictObject({
            state: z.enum(['in-force', 'released']).optional().describe('Only such.'),
            limit: wholeNumber({ min: 1, max: 1_000, default: 100 }).describe('At most so many.'),
            cursor: z
              .string()
              .regex(/^\d{1,15}$/, 'must be a cursor of an earlier answer')
              .optional()
              .describe('What an earlier answer gave.'),
          }),
          response: {
            200: z.object({ items: z.array(holdSchema), cursor: z.string().optional() }).describe('Holds, newest first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { state, limit, cursor } = request.query;
        const before = cursor === undefined ? undefined : Number(cursor);
        const items = await retention.holds.list({ state, limit, before, scope: access(request).scope });
        const last = items.length === limit ? items.at(-1) : undefined;
        return { items: items.map(shown), ...(last !== undefined && { cursor: String(last.id) }) };
      },
    );

    app.post(
      '/holds',
      {
        config: WRITE,
        schema: {
          operationId: 'createHold',
          summary: 'Hold telemetry',
          description:
            'In force when this is answered: what there is then of what it covers is not let go by retention or for space, its devices cannot be removed, and their telemetry cannot be erased. A device that leaves the group or type stays held.',
          tags,
          querystring: none,
          body: z.strictObject({
            target: targetSchema,
            reason: z.string().min(1).max(MAX_REASON).describe('For whom, and why.'),
          }),
          response: {
            201: holdSchema,
            ...problems('device.not-found', 'group.not-found', 'device-type.not-found', ...BODY),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const { target, reason } = request.body;
        return await reply.code(201).send(shown(await retention.hold(target, reason, actor, scope)));
      },
    );

    app.get(
      '/holds/:id',
      {
        config: READ,
        schema: {
          operationId: 'getHold',
          summary: 'Show a legal hold',
          tags,
          params,
          querystring: none,
          response: { 200: holdSchema, ...problems('hold.not-found') },
        },
      },
      async (request) => shown(await retention.holds.get(Number(request.params.id), access(request).scope)),
    );

    app.delete(
      '/holds/:id',
      {
        config: WRITE,
        schema: {
          operationId: 'releaseHold',
          summary: 'Release a legal hold',
          description:
            'What is too old and covered by no other hold goes with the next pass. The hold stays in the list, as released.',
          tags,
          params,
          querystring: none,
          response: { 200: holdSchema, ...problems('hold.not-found') },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        return shown(await retention.release(Number(request.params.id), actor, scope));
      },
    );
  };
}

function shown({ id, target, reason, createdAtMs, createdBy, releasedAtMs, releasedBy }: LegalHold): z.infer<typeof holdSchema> {
  return {
    id: String(id),
    target: { ...target } satisfies HoldTarget,
    reason,
    createdAtMs,
    createdBy,
    ...(releasedAtMs !== undefined && { releasedAtMs }),
    ...(releasedBy !== undefined && { releasedBy }),
  };
}
