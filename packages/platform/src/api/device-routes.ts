import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import type { Connectivity } from '../registry/connectivity-store.ts';
import {
  MAX_NAME_LENGTH,
  MAX_TAGS,
  TAG_PATTERN,
  TYPE_NAME_PATTERN,
  type Device,
  type DeviceDraft,
  type DevicePatch,
} from '../registry/device.ts';
import { checkAttributes } from '../registry/device-attributes.ts';
import { MAX_FILTER_LENGTH } from '../registry/filter/filter-tokens.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { noDevice } from '../registry/device-store.ts';
import { scopeIncludes, type Scope } from '../registry/scope.ts';
import { SelsynError } from '../kernel/errors.ts';
import { scopeOf } from '../people/caller.ts';
import { access, type Access } from './access-guard.ts';
import type { TelemetryQueries } from '../telemetry/telemetry-queries.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { sendJson } from './json-reply.ts';
import { cursorParameter, deviceParams, nameList, wholeNumber } from './parameters.ts';
import { groupField } from './people-schemas.ts';
import { latestSchema, latestToJson } from './point-json.ts';
import { invalidRequest } from './problem.ts';
import { withinDeadline } from './request-deadline.ts';
import { problems } from './route-responses.ts';

const attributesSchema = z
  .record(z.string(), z.unknown())
  .describe('A JSON object of at most 8 KB and four levels: `{"fw": {"version": "2.1"}}`.');

export const deviceSchema = z
  .object({
    id: z.string(),
    name: z.string().optional(),
    type: z.string().optional().describe('The name of its device type.'),
    group: z.string().describe('The node of the group tree that it stands in.'),
    attributes: attributesSchema,
    tags: z.array(z.string()),
    createdAtMs: z.number(),
    updatedAtMs: z.number().describe('Of the last change of these fields.'),
    connectivity: z
      .object({
        connected: z.boolean(),
        sinceMs: z.number(),
        lastSeenMs: z.number(),
        goneReason: z
          .string()
          .optional()
          .describe('Why it went: `client-disconnect`, `connection-lost`, `keep-alive`, `taken-over`, `server-ended`, ...'),
      })
      .optional()
      .describe('Absent: it was never connected. `lastSeenMs`: of one that is connected, when it came.'),
  })
  .describe('A device.');

const tokenSchema = z
  .object({ id: z.string(), token: z.string().describe('Shown this once: only its hash is kept.') })
  .describe('The device and its new token.');

export const devicePageSchema = z
  .object({
    items: z.array(deviceSchema.extend({ latest: latestSchema.optional().describe('With `include=latest`.') })),
    cursor: z.string().optional().describe('Present when there are more.'),
    total: z.number().optional().describe('With `include=total`: all that match.'),
  })
  .describe(
    'A page of devices: ordered by id, or, where a filter or a group was asked for or the caller does not see all devices, in the order of registration.',
  );

const tag = z.string().regex(TAG_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -');

const typeName = z.string().regex(TYPE_NAME_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -');
const nameField = z.string().min(1).max(MAX_NAME_LENGTH);
const tagsField = z.array(tag).max(MAX_TAGS);

const draftSchema = z.strictObject({
  id: z.string().describe('1 to 128 of A-Z a-z 0-9 : _ . -'),
  name: nameField.optional(),
  type: typeName.optional().describe('A device type that there is.'),
  group: groupField
    .optional()
    .describe('Made where it is not there. Absent: the only one that the caller may write in, else `/`.'),
  attributes: attributesSchema.optional(),
  tags: tagsField.optional(),
});

const patchSchema = z
  .strictObject({
    name: nameField.nullable().optional().describe('Null takes it away.'),
    type: typeName.nullable().optional().describe('Null takes it away.'),
    group: groupField.optional().describe('Made where it is not there.'),
    attributes: attributesSchema
      .optional()
      .describe('Merged into those of the device (RFC 7396): null takes a field away, objects are merged.'),
    tags: tagsField.optional().describe('All of them, from now on.'),
  })
  .describe('What is absent stays.');

export const filterParameter = z
  .string()
  .min(1)
  .max(MAX_FILTER_LENGTH)
  .optional()
  .describe('Text of the filter language: `type = "boiler" and not connected = true`. See the guide "Organise devices".');

const listSchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Devices in a page.'),
  cursor: cursorParameter,
  q: z.string().max(128).optional().describe('The id starts with this.'),
  tag: tag.optional().describe('Only devices that have this tag.'),
  group: groupField.optional().describe('Only devices in this group or below.'),
  filter: filterParameter,
  include: nameList({ maxItems: 2, maxLength: 10 }).optional().describe('`latest` and `total`, with a comma between.'),
});

const LATEST_DEADLINE_MS = 15_000;
const INCLUDED: ReadonlySet<string> = new Set(['latest', 'total']);

type Needs = Pick<
  ApiDependencies,
  | 'devices'
  | 'pki'
  | 'tokens'
  | 'telemetry'
  | 'eraser'
  | 'cutConnections'
  | 'endSessions'
  | 'connectivity'
  | 'accessChanged'
  | 'registryFollowed'
  | 'retention'
>;

/** Adding, finding and removing devices, and their tokens. */
export function deviceRoutes(dependencies: Needs): FastifyPluginAsyncZod {
  const { devices, tokens, telemetry, connectivity } = dependencies;
  return async (app) => {
    app.post(
      '/devices',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'addDevice',
          summary: 'Add a device',
          description: 'The answer holds the token of the device, which is shown this once.',
          tags: ['devices'],
          body: draftSchema,
          response: {
            201: tokenSchema,
            ...problems('device.invalid-id', 'device.exists', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const group = groupWithin(scope, request.body.group);
        const { device, token } = await tokens.enrol(draftOf({ ...request.body, group }), actor);
        return reply
          .code(201)
          .header('Location', `/api/v1/devices/${encodeURIComponent(device.id)}`)
          .send({ id: device.id, token });
      },
    );

    app.get(
      '/devices',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'listDevices',
          summary: 'List devices',
          tags: ['devices'],
          querystring: listSchema,
          response: { 200: devicePageSchema, ...problems('telemetry.store-failed', 'thread.timeout') },
        },
      },
      async (request, reply) => {
        const { limit, cursor, q, tag: tagged, group, filter: text, include = [] } = request.query;
        const unknown = include.find((name) => !INCLUDED.has(name));
        if (unknown !== undefined) {
          throw invalidRequest([{ in: 'query', field: 'include', message: `"${unknown}" is neither latest nor total` }]);
        }
        const { scope, caller } = access(request);
        const filter = { idPrefix: q, tag: tagged, group, filter: text, scope };
        const page = await devices.list({ ...filter, limit, cursor });
        const latest = include.includes('latest')
          ? await withinDeadline(reply, LATEST_DEADLINE_MS, async (signal) => {
              const readable = scopeOf(caller, 'telemetry:read');
              return await latestOf(
                telemetry,
                page.items.filter((device) => scopeIncludes(readable, device.group)),
                signal,
              );
            })
          : undefined;
        const total = include.includes('total') ? await devices.count(filter) : undefined;
        const seen = await connectivity.of(page.items.map(({ id }) => id));
        return sendJson(reply, devicePageToJson(page, { seen, latest, total }));
      },
    );

    app.get(
      '/devices/:id',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'getDevice',
          summary: 'Show a device',
          tags: ['devices'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: { 200: deviceSchema, ...problems('device.invalid-id', 'device.not-found') },
        },
      },
      async (request) => {
        const device = await devices.get(parseDeviceId(request.params.id), access(request).scope);
        return shown(device, (await connectivity.of([device.id])).get(device.id));
      },
    );

    app.patch(
      '/devices/:id',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'updateDevice',
          summary: 'Change a device',
          description: 'Where its policies are others from now on, its connections heed them at once.',
          tags: ['devices'],
          params: deviceParams,
          body: patchSchema,
          response: {
            200: deviceSchema,
            ...problems('device.invalid-id', 'device.not-found', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const id = parseDeviceId(request.params.id);
        const device = await devices.update(id, patchOf(request.body), actor, scope);
        dependencies.accessChanged([id]);
        return shown(device, (await connectivity.of([id])).get(id));
      },
    );

    app.delete(
      '/devices/:id',
      {
        config: { permission: 'devices:delete' },
        schema: {
          operationId: 'removeDevice',
          summary: 'Remove a device',
          description:
            'Its token is refused from now on, its certificates are revoked, its connections are cut, its telemetry is erased.',
          tags: ['devices'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('Removed.'),
            ...problems('device.invalid-id', 'device.not-found', 'hold.active', 'telemetry.store-failed', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        await remove(dependencies, parseDeviceId(request.params.id), access(request));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/devices/:id/token',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'rotateDeviceToken',
          summary: 'Give a device a new token',
          description: 'The old token is refused from now on, and its connections are cut.',
          tags: ['devices'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: { 200: tokenSchema, ...problems('device.invalid-id', 'device.not-found') },
        },
      },
      async (request) => {
        const id = parseDeviceId(request.params.id);
        const { actor, scope } = access(request);
        await devices.ensureKnown(id, scope);
        const token = await tokens.rotate(id, actor);
        await dependencies.cutConnections(id);
        return { id, token };
      },
    );
  };
}

/**
 * Takes a device away, in an order that can be taken up again after a crash: while the row is there, the request can be
 * repeated, and its telemetry goes only when nothing can add to it.
 *
 * 1. no new connection   2. no old one, and no session   3. no telemetry   4. no device   5. no shadow, command or job of it
 */
async function remove(
  { devices, tokens, pki, eraser, endSessions, accessChanged, registryFollowed, retention }: Needs,
  id: DeviceId,
  { actor, scope }: Pick<Access, 'actor' | 'scope'>,
): Promise<void> {
  await devices.ensureKnown(id, scope);
  // Before anything is taken from it; the removal itself looks again, in its transaction.
  await retention.requireFree([id]);
  await tokens.revoke(id);
  await pki.certificates.revokeOfDevice(id, actor);
  await endSessions(id);
  await eraser.forget(id);
  if (!(await devices.remove(id, actor, scope))) throw noDevice(id);
  // It may have got another certificate and come back in between; that has ended with the device.
  accessChanged([id]);
  await registryFollowed();
}

/** @throws SelsynError `access.denied` for a group outside of those that the caller may write in */
function groupWithin(scope: Scope, asked: string | undefined): string {
  const [only, ...others] = scope.groups;
  const group = asked ?? (only !== undefined && others.length === 0 ? only : ROOT_GROUP);
  if (scopeIncludes(scope, group)) return group;
  throw new SelsynError('access.denied', `you may not put devices in ${group}`, { details: { group } });
}

async function latestOf(
  telemetry: TelemetryQueries,
  items: readonly Device[],
  signal: AbortSignal,
): Promise<ReadonlyMap<DeviceId, string>> {
  if (items.length === 0) return new Map();
  const ids = items.map((device) => device.id);
  const values = await telemetry.latest(ids, signal);
  return new Map(items.map((device) => [device.id, latestToJson(values.get(device.id) ?? [])]));
}

/** The page as text, since the newest values come as text. */
export function devicePageToJson(
  page: { readonly items: readonly Device[]; readonly cursor?: string },
  { seen, latest, total }: PageExtras,
): string {
  const items = page.items.map((device) => {
    const text = JSON.stringify(shown(device, seen.get(device.id)));
    return latest === undefined ? text : `${text.slice(0, -1)},"latest":${latest.get(device.id) ?? '{}'}}`;
  });
  const cursor = page.cursor === undefined ? '' : `,"cursor":${JSON.stringify(page.cursor)}`;
  return `{"items":[${items.join(',')}]${cursor}${total === undefined ? '' : `,"total":${total}`}}`;
}

interface PageExtras {
  readonly seen: ReadonlyMap<DeviceId, Connectivity>;
  readonly latest?: ReadonlyMap<DeviceId, string> | undefined;
  readonly total?: number | undefined;
}

function shown(device: Device, connectivity: Connectivity | undefined) {
  return {
    ...device,
    attributes: { ...device.attributes },
    tags: [...device.tags],
    ...(connectivity !== undefined && { connectivity: { ...connectivity } }),
  };
}

function draftOf(body: z.output<typeof draftSchema>): DeviceDraft {
  const { attributes, ...draft } = body;
  if (attributes !== undefined) checkAttributes(attributes);
  return { ...draft, attributes, id: parseDeviceId(body.id) };
}

function patchOf(body: z.output<typeof patchSchema>): DevicePatch {
  const { attributes, ...patch } = body;
  if (attributes !== undefined) checkAttributes(attributes);
  return { ...patch, attributes };
}
