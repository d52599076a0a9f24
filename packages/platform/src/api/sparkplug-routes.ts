import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { SparkplugNode } from '../payloads/sparkplug/node-report.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { devicesWithin, scopedPage } from './scoped-pages.ts';

const state = z
  .enum(['alive', 'dead', 'unborn'])
  .describe('`dead`: what is stored is of before, stale. `unborn`: its node was born again, and it was not yet.');
const unitFields = { id: z.string(), state, sinceMs: z.number().optional().describe('When it was born, or died.') };

const nodeSchema = z
  .object({
    ...unitFields,
    group: z.string().describe('Of Sparkplug.'),
    node: z.string(),
    bdSeq: z.number().optional(),
    devices: z.number().describe('Devices behind it.'),
    messages: z.number().describe('Since the start of the server, as are the next ones.'),
    refused: z.number().describe('Messages that could not be read: they are dead letters.'),
    gaps: z.number().describe('Times that a message had not the number after that of the one before.'),
    missing: z.number().describe('Messages that are missing by their numbers.'),
    rebirths: z.number().describe('Times that there was a reason to ask it for a birth.'),
    lastMs: z.number().optional().describe('When its last message came.'),
  })
  .describe('An edge node of Sparkplug.');

const detailSchema = z
  .object({
    ...unitFields,
    metrics: z
      .array(
        z.object({
          name: z.string(),
          alias: z.union([z.number(), z.string()]).optional(),
          type: z.string(),
          unit: z.string().optional(),
          skipped: z.string().optional().describe('Why its value in the birth is no point.'),
        }),
      )
      .describe('What its last birth says.'),
  })
  .describe('A node or a device of Sparkplug, and its metrics.');

const params = z.object({
  id: z.string().min(1).max(128).describe('`{group}:{node}`, or of a device `{group}:{node}:{device}`.'),
});
const NOT_FOUND = ['device.not-found', 'device.invalid-id'] as const;

type Needs = Pick<ApiDependencies, 'sparkplug' | 'devices' | 'people'>;

/** Edge nodes, the devices behind them, and what they say of themselves. */
export function sparkplugRoutes({ sparkplug, devices, people }: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/sparkplug/nodes',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'listSparkplugNodes',
          summary: 'List edge nodes of Sparkplug',
          tags: ['telemetry'],
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Nodes in a page.'),
            cursor: cursorParameter,
          }),
          response: {
            200: z
              .object({ items: z.array(nodeSchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('Ordered by id.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const page = await scopedPage<SparkplugNode>({
          devices,
          scope: access(request).scope,
          cursor,
          sealed: people.sealedCursors,
          deviceOf: ({ id }) => id,
          read: async (after) => {
            const { nodes, next } = await sparkplug.nodes({ after, limit });
            return { items: nodes, cursor: next };
          },
        });
        return { items: page.items.map(present), ...(page.cursor !== undefined && { cursor: page.cursor }) };
      },
    );

    app.get(
      '/sparkplug/nodes/:id',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'getSparkplugNode',
          summary: 'Show an edge node of Sparkplug and the devices behind it',
          tags: ['telemetry'],
          params,
          querystring: z.strictObject({}),
          response: {
            200: nodeSchema
              .extend({ behind: z.array(z.object(unitFields)).describe('The first 1,000 devices behind it.') })
              .describe('An edge node of Sparkplug.'),
            ...problems(...NOT_FOUND),
          },
        },
      },
      async (request) => {
        const { id } = request.params;
        await ensureSeen(id, access(request).scope);
        const node = await sparkplug.node(id);
        if (node === undefined) throw unknown(id);
        const behind = await sparkplug.devices({ node: id, after: undefined, limit: 1000 });
        const seen = await devicesWithin(
          devices,
          behind.map((device) => device.id),
          access(request).scope,
        );
        return { ...present(node), behind: behind.filter((device) => seen.has(device.id)).map(present) };
      },
    );

    app.get(
      '/devices/:id/sparkplug',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'getSparkplugOfDevice',
          summary: 'Show what a node or a device of Sparkplug says of its metrics',
          tags: ['telemetry'],
          params,
          querystring: z.strictObject({}),
          response: { 200: detailSchema, ...problems(...NOT_FOUND) },
        },
      },
      async (request) => {
        const { id } = request.params;
        await ensureSeen(id, access(request).scope);
        const detail = await sparkplug.detail(id);
        if (detail === undefined) throw unknown(id);
        return { ...present(detail), metrics: detail.metrics.map(present) };
      },
    );

    app.post(
      '/sparkplug/nodes/:id/rebirth',
      {
        config: { permission: 'commands:write' },
        schema: {
          operationId: 'askSparkplugNodeForBirth',
          summary: 'Ask an edge node for its births',
          tags: ['telemetry'],
          params,
          response: { 202: z.null().describe('It was asked, if it is there.'), ...problems(...NOT_FOUND) },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        await ensureSeen(id, access(request).scope);
        const node = await sparkplug.node(id);
        if (node === undefined) throw unknown(id);
        await sparkplug.askForBirth(node);
        return await reply.code(202).send(null);
      },
    );
  };

  /** Who sees all devices sees those too that are not registered. */
  async function ensureSeen(id: string, scope: Parameters<typeof devicesWithin>[2]): Promise<void> {
    const seen = await devicesWithin(devices, [parseDeviceId(id)], scope);
    if (!seen.has(id)) throw unknown(id);
  }
}

/** Without what is not there. */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

function unknown(id: string): SelsynError {
  return new SelsynError('device.not-found', `no node or device of Sparkplug has the id ${id}`, { details: { id } });
}
