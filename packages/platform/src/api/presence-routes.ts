import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { PresenceAlert } from '../presence/presence-alert-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const alertSchema = z
  .object({
    id: z.number(),
    deviceId: z.string(),
    group: z.string(),
    kind: z.enum(['offline', 'flapping']).describe('`flapping`: it comes and goes; it is told of once, not each time.'),
    sinceMs: z.number().describe('When it went; of `flapping` the last time before it was told of.'),
    reason: z.string().optional().describe('Why it went, as `connectivity.goneReason` of the device.'),
    losses: z.number().describe('How often it went within the window of `presence.flappingWindowSec`.'),
    raisedAtMs: z.number(),
    resolvedAtMs: z.number().optional().describe('Absent while it is open.'),
  })
  .describe('A device is gone, or comes and goes.');

/** Alerts of devices that are gone. */
export function presenceRoutes({ presence }: Pick<ApiDependencies, 'presence'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/presence/alerts',
      {
        config: { permission: 'devices:read' },
        schema: {
          operationId: 'listPresenceAlerts',
          summary: 'List alerts of devices that are gone, newest first',
          tags: ['devices'],
          querystring: z.strictObject({
            state: z.enum(['open', 'resolved']).optional().describe('Only such; without it all of the last 30 days.'),
            device: z.string().max(128).optional().describe('Of this device alone.'),
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('At most so many.'),
            cursor: z
              .string()
              .regex(/^\d{1,15}$/, 'must be a cursor of an earlier answer')
              .optional()
              .describe('What an earlier answer gave; the other parameters stay the same.'),
          }),
          response: {
            200: z.object({ items: z.array(alertSchema), nextCursor: z.string().optional() }).describe('Alerts, newest first.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { state, device: deviceId, limit, cursor } = request.query;
        const before = cursor === undefined ? undefined : Number(cursor);
        const items = await presence.list({ state, deviceId, limit, before, scope: access(request).scope });
        const last = items.length === limit ? items.at(-1) : undefined;
        return { items: items.map(shown), ...(last !== undefined && { nextCursor: String(last.id) }) };
      },
    );
  };
}

function shown({ reason, resolvedAtMs, ...alert }: PresenceAlert): z.infer<typeof alertSchema> {
  return { ...alert, ...(reason !== undefined && { reason }), ...(resolvedAtMs !== undefined && { resolvedAtMs }) };
}
