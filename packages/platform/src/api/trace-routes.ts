import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { isEverything } from '../registry/scope.ts';
import { access, type Access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { deviceOf, noClient } from './client-routes.ts';
import { beginEventStream, type EventStream } from './event-stream.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';
import { devicesWithin } from './scoped-pages.ts';
import type { TraceHub } from './trace-hub.ts';

const querySchema = z.strictObject({
  client: z.string().min(1).max(512).optional().describe('All packets of this client id.'),
  topic: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('Messages on topics that match this filter; with `client`: those of it.'),
  payload: z.enum(['true', 'false']).default('false').describe('Whether the first 200 bytes of payloads are shown.'),
});

type Needs = Pick<ApiDependencies, 'clients' | 'devices'>;

/** What clients send and are sent, as it happens: Server-Sent Events, to be read by fetch. */
export function traceRoutes(hub: TraceHub, needs: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/trace',
      {
        exposeHeadRoute: false,
        config: { permission: 'clients:write' },
        schema: {
          operationId: 'trace',
          summary: 'The packets of a client, or the messages of a topic, as they come and go',
          description:
            'Server-Sent Events. `tracing`: what is traced; from now on nothing is missed. `packet`: one packet, or the end of a ' +
            'connection. `dropped` and `lagged`: `{"dropped":n}`, so many packets were not shown because they were too many. ' +
            '`bye`: the trace is over, after an hour at the latest. Who does not see all groups names a client whose device they see.',
          tags: ['clients'],
          querystring: querySchema,
          response: {
            200: { description: 'A stream of at most an hour.', content: { 'text/event-stream': { schema: z.string() } } },
            ...problems('request.rate-limited', 'server.not-ready', 'client.not-found', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        const { client: clientId, topic: topicFilter, payload } = request.query;
        if (clientId === undefined && topicFilter === undefined) {
          throw invalidRequest([{ in: 'query', field: 'client', message: 'name a client, a topic, or both' }]);
        }
        const seen = access(request);
        await ensureSeen(needs, clientId, seen);
        let stream: EventStream | undefined;
        const { client, leave } = hub.join(
          { clientId, topicFilter, payload: payload === 'true' },
          () => {
            stream = beginEventStream(reply);
            return stream;
          },
          async () => await maySee(needs, clientId, await seen.renew()),
        );
        stream?.onDrained(() => client.drained());
        stream?.onGone(leave);
      },
    );
  };
}

/**
 * Topics and payloads of all devices are for those who see all groups; others trace a client all of whose namesakes they see.
 * @throws SelsynError `client.not-found`, `access.denied`
 */
async function ensureSeen(needs: Needs, clientId: string | undefined, { scope }: Pick<Access, 'scope'>): Promise<void> {
  if (isEverything(scope)) return;
  if (clientId === undefined) {
    throw new SelsynError('access.denied', 'to trace the messages of all clients needs clients:write at /: name a client');
  }
  const found = (await needs.clients.find(clientId)).map(deviceOf);
  // One that was never here can be waited for by the name of its device.
  const concerned = found.length === 0 ? [clientId] : found;
  const within = await devicesWithin(needs.devices, concerned, scope);
  if (!concerned.every((device) => within.has(device))) throw noClient(clientId);
}

async function maySee(needs: Needs, clientId: string | undefined, access: Access | undefined): Promise<boolean> {
  if (access === undefined) return false;
  try {
    await ensureSeen(needs, clientId, access);
    return true;
  } catch (error) {
    if (isSelsynError(error, 'client.not-found', 'access.denied')) return false;
    throw error;
  }
}
