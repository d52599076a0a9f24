import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Erasure } from '../archive/erasure.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { isEverything } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone'] as const;
const tags = ['storage'];

const erasureSchema = z
  .object({
    id: z.string(),
    device: z.string(),
    reason: z.enum(['requested', 'removed']).describe('removed: the device was removed, and its telemetry with it.'),
    requestedBy: z.string(),
    state: z
      .enum(['begun', 'hidden', 'done'])
      .describe('hidden: nobody can read a point of it any more. done: the bytes are gone from the store and the archive.'),
    begunAtMs: z.number().int(),
    hiddenAtMs: z.number().int().optional(),
    storeErasedAtMs: z.number().int().optional().describe('When its chunks, rollups and dead letters were deleted.'),
    doneAtMs: z.number().int().optional(),
    objectsChecked: z.number().int().describe('Archived objects that could have held points of it.'),
    objectsRewritten: z.number().int().describe('Those of them that did, and were written anew without.'),
    archivedPointsErased: z.number().int(),
    lastError: z.string().optional().describe('Why the last try did not come to the end; it is repeated.'),
  })
  .describe('An erasure, and how far it is.');

/** All telemetry of one device is erased, everywhere: in the store, in rollups, in the archive, and what is kept aside for forwarders. */
export function erasureRoutes({
  erasures,
  devices,
  forwarders,
  audit,
}: Pick<ApiDependencies, 'erasures' | 'devices' | 'forwarders' | 'audit'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/erasures',
      {
        config: { permission: 'storage:write' },
        schema: {
          operationId: 'eraseTelemetry',
          summary: 'Erase all telemetry of a device',
          description:
            'When this is answered nobody can read a point of it any more; the bytes are removed afterwards. The device stays, and what it sends from now on is stored. Who may act everywhere may name a device that was removed.',
          tags,
          body: z.strictObject({ device: z.string().describe('The id of the device.') }),
          response: {
            202: erasureSchema,
            ...problems(
              'device.invalid-id',
              'device.not-found',
              'hold.active',
              'telemetry.store-failed',
              'request.too-large',
              'request.unsupported-media-type',
              ...THREAD,
            ),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const device = parseDeviceId(request.body.device);
        if (!isEverything(scope)) await devices.ensureKnown(device, scope);
        const group = (await devices.groupOf([device])).get(device) ?? '/';
        const erasure = await erasures.begin({ device, requestedBy: actor.name });
        const object = { kind: 'erasure', id: erasure.id };
        await audit.record([{ actor, action: 'erasure.begin', object, group, before: undefined, after: { device } }]);
        // What their targets have refused: else it could be shown, and sent again.
        await forwarders.forgetDevice(device);
        return await reply.code(202).send(erasureJson(erasure));
      },
    );

    app.get(
      '/erasures',
      {
        config: { permission: 'storage:read', everything: true },
        schema: {
          operationId: 'listErasures',
          summary: 'List erasures',
          tags,
          querystring: z.strictObject({
            device: z.string().optional().describe('Only those of this device.'),
            limit: wholeNumber({ min: 1, max: 1_000, default: 100 }).describe('Erasures at most.'),
            cursor: z.string().max(64).optional().describe('What an earlier answer gave.'),
          }),
          response: {
            200: z
              .object({
                items: z.array(erasureSchema).describe('Newest first.'),
                cursor: z.string().optional().describe('Present when there are more.'),
              })
              .describe('Erasures.'),
            ...problems(...THREAD),
          },
        },
      },
      async (request) => {
        const { device, limit, cursor } = request.query;
        const found = await erasures.list({
          limit: limit + 1,
          ...(device === undefined ? {} : { device }),
          ...(cursor === undefined ? {} : { before: cursor }),
        });
        const items = found.slice(0, limit);
        return { items: items.map(erasureJson), ...(found.length > limit ? { cursor: items.at(-1)!.id } : {}) };
      },
    );

    app.get(
      '/erasures/:id',
      {
        config: { permission: 'storage:read', everything: true },
        schema: {
          operationId: 'getErasure',
          summary: 'Show an erasure',
          tags,
          params: z.object({ id: z.string().min(1).max(64).describe('The id of the erasure.') }),
          querystring: none,
          response: { 200: erasureSchema, ...problems('erasure.not-found', ...THREAD) },
        },
      },
      async (request) => erasureJson(await erasures.get(request.params.id)),
    );
  };
}

function erasureJson(erasure: Erasure): z.infer<typeof erasureSchema> {
  const { hiddenAtMs, storeErasedAtMs, doneAtMs, lastError, ...known } = erasure;
  return {
    ...known,
    ...(hiddenAtMs === undefined ? {} : { hiddenAtMs }),
    ...(storeErasedAtMs === undefined ? {} : { storeErasedAtMs }),
    ...(doneAtMs === undefined ? {} : { doneAtMs }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}
