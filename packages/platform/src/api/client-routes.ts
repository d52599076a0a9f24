import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { isEverything, type Scope } from '../registry/scope.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { clientDetailSchema, clientPageSchema, type ClientDetailJson, type ClientJson } from './client-directory.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { devicesWithin, scopedPage } from './scoped-pages.ts';

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

type Needs = Pick<ApiDependencies, 'clients' | 'devices' | 'people'>;

/** Who is connected, who is not, and why. Clients of devices outside of the caller's own nodes look not there. */
export function clientRoutes({ clients, devices, people }: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/clients',
      {
        config: { permission: 'clients:read' },
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
        const { prefix, state, limit } = request.query;
        const { scope } = access(request);
        let totals: { connected: number; offline: number } | undefined;
        const { items, cursor } = await scopedPage<ClientJson>({
          devices,
          scope,
          cursor: request.query.cursor,
          sealed: people.sealedCursors,
          deviceOf,
          read: async (at) => {
            const page = await clients.list({ prefix, state, limit, cursor: at });
            if (isEverything(scope)) ({ totals } = page);
            return page;
          },
        });
        return { items: [...items], ...(cursor !== undefined && { cursor }), ...(totals !== undefined && { totals }) };
      },
    );

    app.get(
      '/clients/:clientId',
      {
        config: { permission: 'clients:read' },
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
        return { items: await seenClients({ clients, devices }, clientId, access(request).scope) };
      },
    );

    app.delete(
      '/clients/:clientId',
      {
        config: { permission: 'clients:write' },
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
        const { scope } = access(request);
        const principals = isEverything(scope)
          ? undefined
          : (await seenClients({ clients, devices }, clientId, scope)).map(({ principalId }) => principalId);
        const count = await clients.disconnect(clientId, request.query.session, principals);
        if (count === 0) throw noClient(clientId);
        return reply.code(204).send(null);
      },
    );
  };
}

/** The clients with this id that belong to devices in the scope. @throws SelsynError `client.not-found` */
async function seenClients(
  { clients, devices }: Pick<Needs, 'clients' | 'devices'>,
  clientId: string,
  scope: Scope,
): Promise<ClientDetailJson[]> {
  const found = await clients.find(clientId);
  const within = await devicesWithin(devices, found.map(deviceOf), scope);
  const seen = found.filter((client) => within.has(deviceOf(client)));
  if (seen.length === 0) throw noClient(clientId);
  return seen;
}

/** Whom a client concerns: the device that it signed in as; where it was never let in, the one whose name it used. */
export function deviceOf({ principalId, clientId }: Pick<ClientJson, 'principalId' | 'clientId'>): string {
  return principalId === '' ? clientId : principalId;
}

export function noClient(clientId: string): SelsynError {
  return new SelsynError('client.not-found', `there is no client ${clientId}, and nothing is known of one`, {
    details: { clientId },
  });
}
