import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { scopeOf } from '../people/caller.ts';
import { SHADOW_NAME_PATTERN } from '../registry/device-type.ts';
import { MAX_FILTER_LENGTH } from '../registry/filter/filter-tokens.ts';
import { DEFAULT_RATE_PER_SEC, MAX_NAMED_DEVICES, MAX_RATE_PER_SEC } from '../shadows/bulk/shadow-update.ts';
import { ShadowUpdateStore } from '../shadows/bulk/shadow-update-store.ts';
import type { JsonObject } from '../shadows/shadow-document.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { shadowUpdateFailureSchema, shadowUpdateSchema, shadowUpdateToJson } from './shadow-update-json.ts';

/** Room for as many ids as can be named. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;

const draftSchema = z.strictObject({
  target: z
    .union([
      z
        .string()
        .min(1)
        .max(MAX_FILTER_LENGTH + 'filter:'.length),
      z.array(z.string().min(1).max(128)).min(1).max(MAX_NAMED_DEVICES),
    ])
    .describe(
      '`group:/path` (and all below), `fleet:name`, `type:name`, `filter:…` in the filter language, or the ids of devices.',
    ),
  shadow: z
    .string()
    .regex(SHADOW_NAME_PATTERN, 'must be 1 to 64 of $ A-Z a-z 0-9 : _ -')
    .optional()
    .describe('Absent: the classic one.'),
  desired: z.record(z.string(), z.unknown()).describe('Merged into what each device has; null takes a key away.'),
  expectedVersion: z
    .int()
    .min(0)
    .optional()
    .describe('Only shadows that have this version; 0: only where there never was one. The others are among the failures.'),
  ratePerSec: z.int().min(1).max(MAX_RATE_PER_SEC).default(DEFAULT_RATE_PER_SEC).describe('Devices a second, at most.'),
});

const params = z.object({ id: z.string().min(1).max(64).describe('The id of the update.') });
const pageFields = {
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Items in a page.'),
  cursor: cursorParameter,
};

/** Changes of the shadows of many devices at once. Those that touch devices outside of the caller's own nodes look not there. */
export function shadowUpdateRoutes({ state }: Pick<ApiDependencies, 'state'>): FastifyPluginAsyncZod {
  const updates = new ShadowUpdateStore(state.reader);
  return async (app) => {
    app.post(
      '/shadow-updates',
      {
        config: { permission: 'shadows:write' },
        bodyLimit: MAX_BODY_BYTES,
        schema: {
          operationId: 'startShadowUpdate',
          summary: 'Set what is desired of many devices',
          description:
            'For those that the target means now, and that the caller may change: who joins a group later is for a default. It goes on ' +
            'by itself, also over a restart of the server, and changes each device once.',
          tags: ['shadows'],
          body: draftSchema,
          response: {
            202: shadowUpdateSchema,
            ...problems(
              'group.not-found',
              'fleet.not-found',
              'device-type.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'state.busy',
              'thread.timeout',
            ),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope, caller } = access(request);
        const { desired, ...others } = request.body;
        const update = await state.calls.call('startShadowUpdate', {
          // What came as JSON is JSON.
          draft: { ...others, desired: desired as JsonObject },
          actor,
          scope,
          fleetScope: scopeOf(caller, 'fleets:read'),
        });
        return await reply.code(202).header('Location', `/api/v1/shadow-updates/${update.id}`).send(shadowUpdateToJson(update));
      },
    );

    app.get(
      '/shadow-updates',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listShadowUpdates',
          summary: 'List updates of many shadows',
          description: 'They are kept for 30 days after their end.',
          tags: ['shadows'],
          querystring: z.strictObject({
            ...pageFields,
            state: z.enum(['running', 'done', 'cancelled']).optional().describe('Only those.'),
          }),
          response: {
            200: z
              .object({ items: z.array(shadowUpdateSchema), cursor: z.string().optional() })
              .describe('The newest first; `cursor` is there when there are more.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { items, ...rest } = await updates.list({ ...request.query, scope: access(request).scope });
        return { items: items.map(shadowUpdateToJson), ...rest };
      },
    );

    app.get(
      '/shadow-updates/:id',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'getShadowUpdate',
          summary: 'Show how far an update of many shadows has come',
          tags: ['shadows'],
          params,
          querystring: z.strictObject({}),
          response: { 200: shadowUpdateSchema, ...problems('shadow-update.not-found') },
        },
      },
      async (request) => shadowUpdateToJson(await updates.get(request.params.id, access(request).scope)),
    );

    app.get(
      '/shadow-updates/:id/failures',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listShadowUpdateFailures',
          summary: 'List the devices that an update could not be applied to',
          tags: ['shadows'],
          params,
          querystring: z.strictObject(pageFields),
          response: {
            200: z
              .object({ items: z.array(shadowUpdateFailureSchema), cursor: z.string().optional() })
              .describe('In the order in which they failed; `cursor` is there when there are more.'),
            ...problems('shadow-update.not-found'),
          },
        },
      },
      async (request) => {
        const { items, ...rest } = await updates.failures({
          ...request.query,
          id: request.params.id,
          scope: access(request).scope,
        });
        return { items: items.map((failure) => ({ ...failure })), ...rest };
      },
    );

    app.post(
      '/shadow-updates/:id/cancel',
      {
        config: { permission: 'shadows:write' },
        schema: {
          operationId: 'cancelShadowUpdate',
          summary: 'Cancel an update of many shadows',
          description: 'What was done stays. One that brings a default to devices is not cancelled: change the default back.',
          tags: ['shadows'],
          params,
          response: {
            200: shadowUpdateSchema,
            ...problems('shadow-update.not-found', 'shadow-update.not-cancellable', 'state.busy', 'thread.timeout'),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        return shadowUpdateToJson(await state.calls.call('cancelShadowUpdate', { id: request.params.id, actor, scope }));
      },
    );
  };
}
