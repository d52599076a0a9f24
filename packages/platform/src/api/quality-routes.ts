import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import type { QualityItem } from '../telemetry/query-quality.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { scopedPage } from './scoped-pages.ts';

const kind = z
  .enum(['out-of-range', 'wrong-type', 'unknown-unit'])
  .describe(
    '`out-of-range`: beyond the range that the device type gives the metric. `wrong-type`: of another kind than it says. ' +
      '`unknown-unit`: in a unit from which there is no way to that of the type; stored as it came.',
  );

const itemSchema = z
  .object({
    device: z.string(),
    metric: z.string(),
    kind,
    count: z.number().describe('Such points so far. Each counts once, also where the log is replayed.'),
    lastMs: z.number().describe('The time of the newest of them.'),
    lastValue: z.union([z.number(), z.boolean(), z.string()]),
    unit: z.string().optional().describe('`unknown-unit`: what it came in.'),
  })
  .describe('Points of a metric that are stored, and look wrong.');

const querySchema = z.strictObject({
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Metrics in a page.'),
  device: z.string().optional().describe('Only metrics of this device.'),
  kind: kind.optional(),
  cursor: cursorParameter,
});

/** Points that do not fit their device type: they are stored, and counted. */
export function qualityRoutes({
  quality,
  devices,
  people,
}: Pick<ApiDependencies, 'quality' | 'devices' | 'people'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/telemetry-quality',
      {
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'listTelemetryQuality',
          summary: 'List metrics whose points do not fit the device type',
          description: 'At most 100,000 metrics are kept: those that were noted last. Some seconds behind the points themselves.',
          tags: ['telemetry'],
          querystring: querySchema,
          response: {
            200: z
              .object({ items: z.array(itemSchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('Those that were noted last come first.'),
            ...problems('device.invalid-id', 'telemetry.store-failed'),
          },
        },
      },
      async (request) => {
        const { limit, device, kind: ofKind } = request.query;
        const only = {
          ...(device !== undefined && { device: parseDeviceId(device) }),
          ...(ofKind !== undefined && { kind: ofKind }),
        };
        const page = await scopedPage<QualityItem>({
          devices,
          scope: access(request).scope,
          cursor: request.query.cursor,
          sealed: people.sealedCursors,
          deviceOf: (item) => item.device,
          read: async (cursor) => quality.page({ limit, ...only, ...(cursor === undefined ? {} : { cursor }) }),
        });
        return { items: [...page.items], ...(page.cursor !== undefined && { cursor: page.cursor }) };
      },
    );
  };
}
