import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { parseDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { access } from './access-guard.ts';
import { beginEventStream } from './event-stream.ts';
import type { LiveHub, Watched } from './live-hub.ts';
import { viewerOf, type LiveViewer } from './live-viewer.ts';
import { problems } from './route-responses.ts';

const MAX_WATCHED = 1000;

const querySchema = z.strictObject({
  devices: z
    .string()
    .max(200_000)
    .optional()
    .describe('Ids with commas between, at most 1,000. Absent: all devices; empty: none, only `stats`.'),
});

/** The live feed: Server-Sent Events, to be read by fetch, since EventSource cannot send a key. */
export function liveRoutes(hub: LiveHub): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/live',
      {
        exposeHeadRoute: false,
        config: { permission: 'telemetry:read' },
        schema: {
          operationId: 'live',
          summary: 'New values and the server’s rates as they come',
          description:
            'Server-Sent Events. `values`: `{"device":{"metric":[ms,value]}}`, what changed, at most ten a second for each device. ' +
            '`stats`: as of `GET /stats`, once a second, for those who may ask for that. `lagged`: `{"dropped":n}`, so many events were not sent because this client ' +
            'read too slowly. `bye`: the server is going to stop, or the key or session may not watch any more.',
          tags: ['server'],
          querystring: querySchema,
          response: {
            200: { description: 'A stream that does not end.', content: { 'text/event-stream': { schema: z.string() } } },
            ...problems('device.invalid-id', 'request.rate-limited', 'server.not-ready'),
          },
        },
      },
      async (request, reply) => {
        const watched = watchedOf(request.query.devices);
        hub.ensureRoom();
        stream(hub, watched, viewerOf(access(request)), reply);
      },
    );
  };
}

function watchedOf(devices: string | undefined): Watched {
  if (devices === undefined) return 'all';
  const ids = new Set(
    devices
      .split(',')
      .filter((id) => id !== '')
      .map(parseDeviceId),
  );
  if (ids.size > MAX_WATCHED) throw new SelsynError('request.invalid', `at most ${MAX_WATCHED} devices can be watched by name`);
  return ids;
}

function stream(hub: LiveHub, watched: Watched, viewer: LiveViewer, reply: FastifyReply): void {
  const events = beginEventStream(reply);
  const { client, leave } = hub.join(events, watched, viewer);
  events.onDrained(() => client.drained());
  events.onGone(leave);
}
