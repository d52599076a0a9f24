import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId, type DeviceId } from '../kernel/device-id.ts';
import { MAX_NAME_LENGTH, MAX_TAGS, TAG_PATTERN, type Device } from '../registry/device.ts';
import { noDevice } from '../registry/device-store.ts';
import type { TelemetryQueries } from '../telemetry/telemetry-queries.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { sendJson } from './json-reply.ts';
import { cursorParameter, deviceParams, nameList, wholeNumber } from './parameters.ts';
import { latestSchema, latestToJson } from './point-json.ts';
import { invalidRequest } from './problem.ts';
import { withinDeadline } from './request-deadline.ts';
import { problems } from './route-responses.ts';

const deviceSchema = z
  .object({ id: z.string(), name: z.string().optional(), tags: z.array(z.string()), createdAtMs: z.number() })
  .describe('A device.');

const tokenSchema = z
  .object({ id: z.string(), token: z.string().describe('Shown this once: only its hash is kept.') })
  .describe('The device and its new token.');

const pageSchema = z
  .object({
    items: z.array(deviceSchema.extend({ latest: latestSchema.optional().describe('With `include=latest`.') })),
    cursor: z.string().optional().describe('Present when there are more.'),
    total: z.number().optional().describe('With `include=total`: all that match.'),
  })
  .describe('A page of devices, ordered by id.');

const tag = z.string().regex(TAG_PATTERN, 'must be 1 to 64 of A-Z a-z 0-9 : _ . -');

const draftSchema = z.strictObject({
  id: z.string().describe('1 to 128 of A-Z a-z 0-9 : _ . -'),
  name: z.string().min(1).max(MAX_NAME_LENGTH).optional(),
  tags: z.array(tag).max(MAX_TAGS).optional(),
});

const listSchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Devices in a page.'),
  cursor: cursorParameter,
  q: z.string().max(128).optional().describe('The id starts with this.'),
  tag: tag.optional().describe('Only devices that have this tag.'),
  include: nameList({ maxItems: 2, maxLength: 10 }).optional().describe('`latest` and `total`, with a comma between.'),
});

const LATEST_DEADLINE_MS = 15_000;
const INCLUDED: ReadonlySet<string> = new Set(['latest', 'total']);

type Needs = Pick<ApiDependencies, 'devices' | 'tokens' | 'telemetry' | 'eraser' | 'cutConnections'>;

/** Adding, finding and removing devices, and their tokens. */
export function deviceRoutes(dependencies: Needs): FastifyPluginAsyncZod {
  const { devices, tokens, telemetry } = dependencies;
  return async (app) => {
    app.post(
      '/devices',
      {
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
        const { device, token } = await tokens.enrol({ ...request.body, id: parseDeviceId(request.body.id) });
        return reply
          .code(201)
          .header('Location', `/api/v1/devices/${encodeURIComponent(device.id)}`)
          .send({ id: device.id, token });
      },
    );

    app.get(
      '/devices',
      {
        schema: {
          operationId: 'listDevices',
          summary: 'List devices',
          tags: ['devices'],
          querystring: listSchema,
          response: { 200: pageSchema, ...problems('telemetry.store-failed', 'thread.timeout') },
        },
      },
      async (request, reply) => {
        const { limit, cursor, q, tag: tagged, include = [] } = request.query;
        const unknown = include.find((name) => !INCLUDED.has(name));
        if (unknown !== undefined) {
          throw invalidRequest([{ in: 'query', field: 'include', message: `"${unknown}" is neither latest nor total` }]);
        }
        const filter = { idPrefix: q, tag: tagged };
        const page = await devices.list({ ...filter, limit, cursor });
        const latest = include.includes('latest')
          ? await withinDeadline(reply, LATEST_DEADLINE_MS, (signal) => latestOf(telemetry, page.items, signal))
          : undefined;
        const total = include.includes('total') ? await devices.count(filter) : undefined;
        return sendJson(reply, pageToJson(page, latest, total));
      },
    );

    app.get(
      '/devices/:id',
      {
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
        const device = await devices.get(parseDeviceId(request.params.id));
        return { ...device, tags: [...device.tags] };
      },
    );

    app.delete(
      '/devices/:id',
      {
        schema: {
          operationId: 'removeDevice',
          summary: 'Remove a device',
          description: 'Its token is refused from now on, its connections are cut, its telemetry is erased.',
          tags: ['devices'],
          params: deviceParams,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('Removed.'),
            ...problems('device.invalid-id', 'device.not-found', 'telemetry.store-failed', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        await remove(dependencies, parseDeviceId(request.params.id));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/devices/:id/token',
      {
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
        const token = await tokens.rotate(id);
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
 * 1. no new connection   2. no old one   3. no telemetry   4. no device
 */
async function remove({ devices, tokens, eraser, cutConnections }: Needs, id: DeviceId): Promise<void> {
  await devices.ensureKnown(id);
  await tokens.revoke(id);
  await cutConnections(id);
  await eraser.forget(id);
  if (!(await devices.remove(id))) throw noDevice(id);
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
function pageToJson(
  page: { readonly items: readonly Device[]; readonly cursor?: string },
  latest: ReadonlyMap<DeviceId, string> | undefined,
  total: number | undefined,
): string {
  const items = page.items.map((device) => {
    const text = JSON.stringify(device);
    return latest === undefined ? text : `${text.slice(0, -1)},"latest":${latest.get(device.id) ?? '{}'}}`;
  });
  const cursor = page.cursor === undefined ? '' : `,"cursor":${JSON.stringify(page.cursor)}`;
  return `{"items":[${items.join(',')}]${cursor}${total === undefined ? '' : `,"total":${total}`}}`;
}
