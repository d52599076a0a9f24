import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { beginEventStream, type EventStream } from './event-stream.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';
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

/** What clients send and are sent, as it happens: Server-Sent Events, to be read by fetch. */
export function traceRoutes(hub: TraceHub): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/trace',
      {
        exposeHeadRoute: false,
        // Payloads and topics of all devices: not for keys that may only read telemetry.
        config: { access: 'admin' },
        schema: {
          operationId: 'trace',
          summary: 'The packets of a client, or the messages of a topic, as they come and go',
          description:
            'Server-Sent Events. `tracing`: what is traced; from now on nothing is missed. `packet`: one packet, or the end of a ' +
            'connection. `dropped` and `lagged`: `{"dropped":n}`, so many packets were not shown because they were too many. ' +
            '`bye`: the trace is over, after an hour at the latest.',
          tags: ['clients'],
          querystring: querySchema,
          response: {
            200: { description: 'A stream of at most an hour.', content: { 'text/event-stream': { schema: z.string() } } },
            ...problems('request.rate-limited', 'server.not-ready'),
          },
        },
      },
      async (request, reply) => {
        const { client: clientId, topic: topicFilter, payload } = request.query;
        if (clientId === undefined && topicFilter === undefined) {
          throw invalidRequest([{ in: 'query', field: 'client', message: 'name a client, a topic, or both' }]);
        }
        let stream: EventStream | undefined;
        const { client, leave } = hub.join({ clientId, topicFilter, payload: payload === 'true' }, () => {
          stream = beginEventStream(reply);
          return stream;
        });
        stream?.onDrained(() => client.drained());
        stream?.onGone(leave);
      },
    );
  };
}
