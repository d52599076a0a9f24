import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { clientDetailSchema, clientPageSchema } from './client-directory.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const MAX_CLIENT_ID_LENGTH = 512;

const querySchema = z.strictObject({
  prefix: z.string().max(MAX_CLIENT_ID_LENGTH).default('').describe('The client id starts with this.'),
  state: z.enum(['connected', 'offline']).optional().describe('`offline`: every one that is not connected.'),
  limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Clients in a page.'),
  cursor: cursorParameter,
});

const params = z.object({
  clientId: z.string().min(1).max(MAX_CLIENT_ID_LENGTH).describe('The client id of the CONNECT packet.'),
});

/** Who is connected, who is not, and why. */
export function clientRoutes({ clients }: Pick<ApiDependencies, 'clients'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/clients',
      {
        schema: {
          operationId: 'listClients',
          summary: 'List MQTT clients',
          description: 'Those that are connected, those whose session waits for them, and those that are only remembered.',
          tags: ['clients'],
          querystring: querySchema,
          response: { 200: clientPageSchema, ...problems('thread.timeout') },
        },
      },
      async (request) => {
        const { prefix, state, limit, cursor } = request.query;
        return await clients.list({ prefix, state, limit, cursor });
      },
    );

    app.get(
      '/clients/:clientId',
      {
        schema: {
          operationId: 'getClient',
          summary: 'Show an MQTT client',
          description: 'Its state, its session, why it was disconnected, what it was denied.',
          tags: ['clients'],
          params,
          querystring: z.strictObject({}),
          response: {
            200: z
              .object({ items: z.array(clientDetailSchema) })
              .describe('Mostly one: devices with different credentials may use the same client id.'),
            ...problems('client.not-found', 'thread.timeout'),
          },
        },
      },
      async (request) => {
        const { clientId } = request.params;
        const items = [...(await clients.find(clientId))];
        if (items.length === 0) throw noClient(clientId);
        return { items };
      },
    );

    app.delete(
      '/clients/:clientId',
      {
        schema: {
          operationId: 'disconnectClient',
          summary: 'Disconnect an MQTT client',
          description: 'It may come back at once: to keep a device out, take its token back.',
          tags: ['clients'],
          params,
          querystring: z.strictObject({
            session: z
              .enum(['keep', 'discard'])
              .default('keep')
              .describe('`discard`: its session ends too, with its subscriptions and the messages that wait for it.'),
          }),
          response: { 204: z.null().describe('Disconnected.'), ...problems('client.not-found', 'thread.timeout') },
        },
      },
      async (request, reply) => {
        const { clientId } = request.params;
        const count = await clients.disconnect(clientId, request.query.session);
        if (count === 0) throw noClient(clientId);
        return reply.code(204).send(null);
      },
    );
  };
}

function noClient(clientId: string): SelsynError {
  return new SelsynError('client.not-found', `there is no client ${clientId}, and nothing is known of one`, {
    details: { clientId },
  });
}
