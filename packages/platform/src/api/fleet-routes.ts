import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { scopeOf } from '../people/caller.ts';
import { FLEET_ID_PATTERN, MAX_FLEET_NAME, membersOf, type Fleet } from '../registry/fleet-store.ts';
import { MAX_FILTER_LENGTH } from '../registry/filter/filter-tokens.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { devicePageSchema, devicePageToJson } from './device-routes.ts';
import { sendJson } from './json-reply.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { groupField } from './people-schemas.ts';
import { problems } from './route-responses.ts';

const fleetSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    group: z.string().describe('Only devices in this group or below are members.'),
    filter: z.string(),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
    devices: z.number().optional().describe('Members now that the caller sees. Not in lists.'),
  })
  .describe('A fleet: a saved filter.');

const filterField = z.string().min(1).max(MAX_FILTER_LENGTH).describe('Text of the filter language: `type = "boiler"`.');
const nameField = z.string().min(1).max(MAX_FLEET_NAME);

const draftSchema = z.strictObject({
  id: z.string().regex(FLEET_ID_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -'),
  name: nameField.optional().describe('Absent: the id.'),
  group: groupField.optional().describe('Absent: the only one that the caller may have fleets in, else `/`.'),
  filter: filterField,
});

const patchSchema = z
  .strictObject({ name: nameField.optional(), group: groupField.optional(), filter: filterField.optional() })
  .describe('What is absent stays.');

const params = z.object({ id: z.string().min(1).max(128).describe('The id of the fleet.') });
const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

/** Fleets. Those outside of the caller's own nodes look not there, and so do members that the caller may not see. */
export function fleetRoutes({
  fleets,
  devices,
  connectivity,
}: Pick<ApiDependencies, 'fleets' | 'devices' | 'connectivity'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/fleets',
      {
        config: { permission: 'fleets:read' },
        schema: {
          operationId: 'listFleets',
          summary: 'List fleets',
          tags: ['devices'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(fleetSchema) }).describe('Ordered by id.'), ...problems() },
        },
      },
      async (request) => ({ items: (await fleets.list(access(request).scope)).map((fleet) => ({ ...fleet })) }),
    );

    app.post(
      '/fleets',
      {
        config: { permission: 'fleets:write' },
        schema: {
          operationId: 'addFleet',
          summary: 'Add a fleet',
          tags: ['devices'],
          body: draftSchema,
          response: { 201: fleetSchema, ...problems('fleet.exists', ...BODY) },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const [only, ...others] = scope.groups;
        const group = request.body.group ?? (others.length === 0 ? only : undefined);
        const fleet: Fleet = await fleets.create({ ...request.body, group }, actor, scope);
        return await reply
          .code(201)
          .header('Location', `/api/v1/fleets/${encodeURIComponent(fleet.id)}`)
          .send({ ...fleet });
      },
    );

    app.get(
      '/fleets/:id',
      {
        config: { permission: 'fleets:read' },
        schema: {
          operationId: 'getFleet',
          summary: 'Show a fleet and count its members',
          tags: ['devices'],
          params,
          querystring: z.strictObject({}),
          response: { 200: fleetSchema, ...problems('fleet.not-found') },
        },
      },
      async (request) => {
        const { scope, caller } = access(request);
        const fleet = await fleets.get(request.params.id, scope);
        return { ...fleet, devices: await devices.count({ ...membersOf(fleet), scope: scopeOf(caller, 'devices:read') }) };
      },
    );

    app.get(
      '/fleets/:id/devices',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'listFleetDevices',
          summary: 'List the members of a fleet',
          tags: ['devices'],
          params,
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Devices in a page.'),
            cursor: cursorParameter,
          }),
          response: { 200: devicePageSchema, ...problems('fleet.not-found') },
        },
      },
      async (request, reply) => {
        const { scope, caller } = access(request);
        const fleet = await fleets.get(request.params.id, scopeOf(caller, 'fleets:read'));
        const { limit, cursor } = request.query;
        const page = await devices.list({ ...membersOf(fleet), scope, limit, cursor });
        return sendJson(reply, devicePageToJson(page, { seen: await connectivity.of(page.items.map(({ id }) => id)) }));
      },
    );

    app.patch(
      '/fleets/:id',
      {
        config: { permission: 'fleets:write' },
        schema: {
          operationId: 'updateFleet',
          summary: 'Change a fleet',
          tags: ['devices'],
          params,
          body: patchSchema,
          response: { 200: fleetSchema, ...problems('fleet.not-found', ...BODY) },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        return { ...(await fleets.update(request.params.id, request.body, actor, scope)) };
      },
    );

    app.delete(
      '/fleets/:id',
      {
        config: { permission: 'fleets:write' },
        schema: {
          operationId: 'removeFleet',
          summary: 'Remove a fleet',
          description: 'Its devices stay as they are.',
          tags: ['devices'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('fleet.not-found') },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        await fleets.remove(request.params.id, actor, scope);
        return await reply.code(204).send(null);
      },
    );
  };
}
