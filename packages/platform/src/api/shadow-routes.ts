import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod, ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { decodePageCursor, encodePageCursor } from '../registry/page-cursor.ts';
import { noShadow, shadowError } from '../shadows/shadow-faults.ts';
import type { ShadowDocument, ShadowKey, ShadowPatch } from '../shadows/shadow-document.ts';
import { ShadowStore } from '../shadows/shadow-store.ts';
import { isShadowName } from '../shadows/shadow-topics.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { takeJson } from './json-body.ts';
import { cursorParameter, deviceParams, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { changeOnCondition } from './shadow-condition.ts';
import { withFaultPath } from './shadow-fault-path.ts';
import {
  shadowHistorySchema,
  shadowHistoryToJson,
  shadowSchema,
  shadowSummarySchema,
  shadowSummaryToJson,
  shadowToJson,
} from './shadow-json.ts';
import { conditionOf, isKnown, versionTag } from './version-tag.ts';

/** As `isShadowName` has it, for the description. */
const SHADOW_NAME = '^[$A-Za-z0-9:_-]{1,64}$';
const MERGE_PATCH = 'application/merge-patch+json';

const sectionSchema = z.record(z.string(), z.unknown());
const expectedVersion = z
  .number()
  .int()
  .min(0)
  .optional()
  .describe('Only if the shadow has this version; 0: only if there never was one. If-Match says the same, and answers 412.');

const replaceSchema = z
  .strictObject({
    desired: sectionSchema.nullable().optional().describe('Exactly this from now on; null or {}: nothing is asked any more.'),
    reported: sectionSchema.nullable().optional().describe('As if the device had said so. Absent: stays.'),
    expectedVersion,
  })
  .describe('What is absent stays.');

const mergeSchema = z
  .strictObject({
    desired: sectionSchema.nullable().optional().describe('Merged; null takes a key away, or all of it.'),
    reported: sectionSchema.nullable().optional().describe('As if the device had said so.'),
    expectedVersion,
  })
  .describe('A merge patch (RFC 7396): objects are merged, null takes a key away, anything else, arrays too, is replaced.');

const namedParams = deviceParams.extend({
  name: z.string().min(1).max(1024).meta({ description: 'The name of the shadow.', pattern: SHADOW_NAME }),
});
const pageSchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Items in a page.'),
  cursor: cursorParameter,
});

/** Of all routes that change: what the state says, and what the header asks. */
const CHANGING = [
  'device.invalid-id',
  'device.not-found',
  'shadow.invalid',
  'shadow.too-large',
  'shadow.refused',
  'shadow.conflict',
  'request.precondition-failed',
  'request.too-large',
  'request.unsupported-media-type',
  'state.busy',
  'thread.timeout',
] as const;

type Needs = Pick<ApiDependencies, 'devices' | 'state'>;

/** The two addresses of a shadow: the classic one has no name. */
const ADDRESSES = [
  { path: '/devices/:id/shadow', params: deviceParams, of: 'the classic shadow', suffix: 'Shadow' },
  { path: '/devices/:id/shadows/:name', params: namedParams, of: 'a named shadow', suffix: 'NamedShadow' },
] as const;

/** Shadows of devices: what each is to be, and what it says it is. */
export function shadowRoutes({ devices, state }: Needs): FastifyPluginAsyncZod {
  const store = new ShadowStore(state.reader);

  /** The shadow that a request names, of a device that the caller sees. @throws SelsynError `device.not-found`, `request.invalid` */
  async function keyOf(request: FastifyRequest): Promise<ShadowKey> {
    const { id, name = '' } = request.params as { readonly id: string; readonly name?: string };
    const device = parseDeviceId(id);
    if (name !== '' && !isShadowName(name)) {
      throw new SelsynError('request.invalid', 'the name of a shadow is 1 to 64 of $ A-Z a-z 0-9 : _ -', {
        details: { field: 'name' },
      });
    }
    await devices.ensureKnown(device, access(request).scope);
    return { device, shadow: name };
  }

  async function write(
    request: FastifyRequest,
    { expectedVersion: expected, ...patch }: z.output<typeof mergeSchema>,
    change: (call: ShadowKey & { readonly expectedVersion?: number | undefined }, patch: ShadowPatch) => Promise<ShadowDocument>,
  ): Promise<readonly [ShadowKey, ShadowDocument]> {
    const key = await keyOf(request);
    // What came as JSON is JSON.
    const state = patch as ShadowPatch;
    const condition = conditionOf(request.headers);
    const document = await withFaultPath(
      state,
      async () =>
        await changeOnCondition(
          { key, condition, expectedVersion: expected, store },
          async (version) => await change({ ...key, expectedVersion: version }, state),
        ),
    );
    return [key, document];
  }

  function send(reply: FastifyReply, [key, document]: readonly [ShadowKey, ShadowDocument]) {
    return reply.header('ETag', versionTag(document.version)).send(shadowToJson(key.shadow, document));
  }

  return async (app) => {
    app.get(
      '/devices/:id/shadows',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listShadows',
          summary: 'List the shadows of a device',
          tags: ['shadows'],
          params: deviceParams,
          querystring: pageSchema,
          response: {
            200: z
              .object({ items: z.array(shadowSummarySchema), cursor: z.string().optional() })
              .describe('By name, the classic one first; `cursor` is there when there are more.'),
            ...problems('device.invalid-id', 'device.not-found'),
          },
        },
      },
      async (request) => {
        const { device } = await keyOf(request);
        const { limit, cursor } = request.query;
        // The mark before the name: that of the classic one is empty, and a cursor is not.
        const after = cursor === undefined ? undefined : decodePageCursor(cursor).slice(1);
        const found = await store.list(device, { limit: limit + 1, after });
        const items = found.slice(0, limit);
        const last = items.at(-1);
        return {
          items: items.map(shadowSummaryToJson),
          ...(found.length > limit && last !== undefined && { cursor: encodePageCursor(`=${last.shadow}`) }),
        };
      },
    );

    for (const { path, params, of, suffix } of ADDRESSES) {
      app.get(
        path,
        {
          config: { permission: 'shadows:read' },
          schema: {
            operationId: `get${suffix}`,
            summary: `Show ${of}`,
            description: 'Its version is the ETag: with `If-None-Match` one that you know already is answered by 304.',
            tags: ['shadows'],
            params,
            querystring: z.strictObject({}),
            response: {
              200: shadowSchema,
              304: z.null().describe('It has the version of `If-None-Match`.'),
              ...problems('device.invalid-id', 'device.not-found', 'shadow.not-found'),
            },
          },
        },
        async (request, reply) => {
          const key = await keyOf(request);
          const document = await store.find(key);
          if (document === undefined) throw shadowError(noShadow(key), key);
          if (isKnown(request.headers, document.version)) {
            return reply.header('ETag', versionTag(document.version)).code(304).send(null);
          }
          return send(reply, [key, document]);
        },
      );

      app.put(
        path,
        {
          config: { permission: 'shadows:write' },
          schema: {
            operationId: `put${suffix}`,
            summary: `Make ${of} what it is from now on`,
            description:
              'Made where it is not there. The device is sent the difference. `If-Match: "12"` lets it happen only to that version, ' +
              '`If-None-Match: *` only where there is none: else 412.',
            tags: ['shadows'],
            params,
            body: replaceSchema,
            response: { 200: shadowSchema, ...problems(...CHANGING) },
          },
        },
        async (request, reply) => {
          const { actor } = access(request);
          return send(
            reply,
            await write(
              request,
              request.body,
              async (call, replaced) => await state.calls.call('replaceShadow', { ...call, actor, state: replaced }),
            ),
          );
        },
      );

      app.delete(
        path,
        {
          config: { permission: 'shadows:write' },
          schema: {
            operationId: `remove${suffix}`,
            summary: `Remove ${of}`,
            description: 'Versions go on where it is made again within 48 hours.',
            tags: ['shadows'],
            params,
            querystring: z.strictObject({}),
            response: {
              204: z.null().describe('Removed.'),
              ...problems(
                'device.invalid-id',
                'device.not-found',
                'shadow.not-found',
                'request.precondition-failed',
                'state.busy',
                'thread.timeout',
              ),
            },
          },
        },
        async (request, reply) => {
          const { actor } = access(request);
          const key = await keyOf(request);
          const condition = conditionOf(request.headers);
          await changeOnCondition(
            { key, condition, expectedVersion: undefined, store },
            async (version) => await state.calls.call('deleteShadow', { ...key, actor, expectedVersion: version }),
          );
          return reply.code(204).send(null);
        },
      );

      app.get(
        `${path}/history`,
        {
          config: { permission: 'shadows:read' },
          schema: {
            operationId: `list${suffix}History`,
            summary: `List the changes of ${of}`,
            description:
              'Those of before a removal too. The last 30 days are kept, two million changes of all shadows at the most.',
            tags: ['shadows'],
            params,
            querystring: pageSchema,
            response: {
              200: z
                .object({ items: z.array(shadowHistorySchema), cursor: z.string().optional() })
                .describe('The newest first; `cursor` is there when there may be more.'),
              ...problems('device.invalid-id', 'device.not-found'),
            },
          },
        },
        async (request) => {
          const key = await keyOf(request);
          const { limit, cursor } = request.query;
          const entries = await store.history(key, { limit, cursor });
          const last = entries.at(-1);
          return {
            items: entries.map(shadowHistoryToJson),
            // Behind the first change there is nothing.
            ...(entries.length === limit && last !== undefined && last.cursor !== '0' && { cursor: last.cursor }),
          };
        },
      );
    }

    await app.register(async (merging) => {
      // A merge patch is JSON by another name (RFC 7396, 4).
      takeJson(merging, MERGE_PATCH);
      for (const { path, params, of, suffix } of ADDRESSES) {
        merging.withTypeProvider<ZodTypeProvider>().patch(
          path,
          {
            config: { permission: 'shadows:write' },
            schema: {
              operationId: `update${suffix}`,
              summary: `Change ${of}`,
              description:
                `Also as \`${MERGE_PATCH}\`. Made where it is not there. The device is sent the difference. \`If-Match: "12"\` lets it ` +
                'happen only to that version, else 412.',
              tags: ['shadows'],
              params,
              body: mergeSchema,
              response: { 200: shadowSchema, ...problems(...CHANGING) },
            },
          },
          async (request, reply) => {
            const { actor } = access(request);
            return send(
              reply,
              await write(
                request,
                request.body,
                async (call, patch) => await state.calls.call('updateShadow', { ...call, actor, patch }),
              ),
            );
          },
        );
      }
    });
  };
}
