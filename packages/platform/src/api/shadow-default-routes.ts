import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SHADOW_NAME_PATTERN } from '../registry/device-type.ts';
import { MAX_GROUP_PATH } from '../registry/group-path.ts';
import { targetText, type ShadowDefault } from '../shadows/defaults/shadow-default.ts';
import type { JsonObject } from '../shadows/shadow-document.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, deviceParams, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { shadowUpdateSchema, shadowUpdateToJson } from './shadow-update-json.ts';

const stateSchema = z.record(z.string(), z.unknown());
const targetField = z
  .string()
  .min(1)
  .max('group:'.length + MAX_GROUP_PATH)
  .describe('`group:/path`: devices there and everywhere below. `type:name`: devices of the type.');
const shadowField = z
  .string()
  .regex(SHADOW_NAME_PATTERN, 'must be 1 to 64 of $ A-Z a-z 0-9 : _ -')
  .optional()
  .describe('Absent: the classic one.');

const defaultSchema = z
  .object({
    target: z.string(),
    shadow: z.string().optional().describe('Absent: the classic one.'),
    desired: stateSchema,
    version: z.number().describe('One more with each change.'),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('What is desired of the devices of a group or a type, where nothing nearer to them says something else.');

const updateField = shadowUpdateSchema.optional().describe('What brings it to the devices. Absent: nothing was changed.');

const originSchema = z
  .object({
    type: z.string().optional(),
    group: z.string(),
    layers: z
      .array(z.object({ target: z.string(), desired: stateSchema }))
      .describe('The defaults, the farthest first: each lies over those before it, and null takes away.'),
    inherited: stateSchema.optional().describe('What comes of them. Absent: nothing.'),
    inheritedFault: z.string().optional().describe('Why the device does not get it: it does not fit the schema of its type.'),
    desiredFault: z.string().optional().describe('What of the desired state does not fit the schema: it may be younger.'),
    reportedFault: z
      .string()
      .optional()
      .describe('What of the reported state does not fit the schema. A device is believed all the same.'),
  })
  .describe('What the groups and the type of a device say about one of its shadows.');

const CHANGING = ['group.not-found', 'device-type.not-found', 'shadow-default.conflict', 'state.busy', 'thread.timeout'] as const;

/** Defaults of shadows. Those of groups outside of the caller's own nodes look not there; those of types are for who may change all. */
export function shadowDefaultRoutes({ state, devices }: Pick<ApiDependencies, 'state' | 'devices'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/shadow-defaults',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'listShadowDefaults',
          summary: 'List defaults of shadows',
          tags: ['shadows'],
          querystring: z.strictObject({
            target: targetField.optional().describe('Only those of this group or type itself.'),
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Items in a page.'),
            cursor: cursorParameter,
          }),
          response: {
            200: z
              .object({ items: z.array(defaultSchema), cursor: z.string().optional() })
              .describe('Types by name, then groups by path; `cursor` is there when there are more.'),
            ...problems('thread.timeout'),
          },
        },
      },
      async (request) => {
        const { items, ...rest } = await state.calls.call('listShadowDefaults', {
          ...request.query,
          scope: access(request).scope,
        });
        return { items: items.map(shown), ...rest };
      },
    );

    app.put(
      '/shadow-defaults',
      {
        config: { permission: 'shadows:write' },
        schema: {
          operationId: 'putShadowDefault',
          summary: 'Set what devices of a group or a type are to be unless something nearer says otherwise',
          description:
            'A device has its own desired state over that of its group, over those of the groups above, over that of its type. Devices ' +
            'that join get it at once; for those that are there an update is started.',
          tags: ['shadows'],
          body: z.strictObject({
            target: targetField,
            shadow: shadowField,
            desired: stateSchema.describe('Exactly this from now on. Null takes away what comes from farther.'),
            expectedVersion: z
              .int()
              .min(0)
              .optional()
              .describe('Only if the default has this version; 0: only if there is none.'),
          }),
          response: {
            200: defaultSchema.extend({ update: updateField }).describe('The default, and the update that brings it to devices.'),
            ...problems(...CHANGING, 'shadow.refused', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { target, shadow = '', desired, expectedVersion } = request.body;
        const call = { target, shadow, desired: desired as JsonObject, expectedVersion, actor, scope };
        const { default: made, update } = await state.calls.call('putShadowDefault', call);
        return { ...shown(made), ...(update !== undefined && { update: shadowUpdateToJson(update) }) };
      },
    );

    app.delete(
      '/shadow-defaults',
      {
        config: { permission: 'shadows:write' },
        schema: {
          operationId: 'removeShadowDefault',
          summary: 'Remove a default of shadows',
          description: 'An update takes what was inherited of it from the devices.',
          tags: ['shadows'],
          querystring: z.strictObject({ target: targetField, shadow: shadowField }),
          response: {
            200: z.object({ update: updateField }).describe('Removed.'),
            ...problems(...CHANGING, 'shadow-default.not-found'),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { target, shadow = '' } = request.query;
        const update = await state.calls.call('removeShadowDefault', { target, shadow, actor, scope });
        return { ...(update !== undefined && { update: shadowUpdateToJson(update) }) };
      },
    );

    app.get(
      '/devices/:id/shadow-origin',
      {
        config: { permission: 'shadows:read' },
        schema: {
          operationId: 'getShadowOrigin',
          summary: 'Show where the desired state of a device comes from, and whether its shadow fits the schema of its type',
          tags: ['shadows'],
          params: deviceParams,
          querystring: z.strictObject({ shadow: shadowField }),
          response: { 200: originSchema, ...problems('device.invalid-id', 'device.not-found', 'thread.timeout') },
        },
      },
      async (request) => {
        const device = parseDeviceId(request.params.id);
        await devices.ensureKnown(device, access(request).scope);
        const { layers, ...origin } = await state.calls.call('shadowOrigin', { device, shadow: request.query.shadow ?? '' });
        return {
          ...origin,
          inherited: origin.inherited === undefined ? undefined : { ...origin.inherited },
          layers: layers.map(({ target, desired }) => ({ target, desired: { ...desired } })),
        };
      },
    );
  };
}

function shown({ target, shadow, desired, ...others }: ShadowDefault) {
  return { target: targetText(target), ...(shadow !== '' && { shadow }), desired: { ...desired }, ...others };
}
