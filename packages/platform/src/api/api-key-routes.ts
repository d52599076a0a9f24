import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const access = z.enum(['admin', 'read']).describe('`read` may change nothing and see no keys.');

const keySchema = z.object({ id: z.string(), name: z.string(), access, createdAtMs: z.number() }).describe('An API key.');

const draftSchema = z.strictObject({ name: z.string().min(1).max(200), access });

/** Keys of the API besides the administrator's. */
export function apiKeyRoutes({ apiKeys }: Pick<ApiDependencies, 'apiKeys'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/api-keys',
      {
        schema: {
          operationId: 'addApiKey',
          summary: 'Make an API key',
          tags: ['access'],
          body: draftSchema,
          response: {
            201: keySchema
              .extend({ key: z.string().describe('Shown this once: only its hash is kept.') })
              .describe('The new key.'),
            ...problems('request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request, reply) => reply.code(201).send(await apiKeys.create(request.body)),
    );

    app.get(
      '/api-keys',
      {
        config: { access: 'admin' },
        schema: {
          operationId: 'listApiKeys',
          summary: 'List the API keys',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(keySchema) }).describe('Oldest first.'), ...problems() },
        },
      },
      async () => ({ items: [...(await apiKeys.list())] }),
    );

    app.delete(
      '/api-keys/:id',
      {
        schema: {
          operationId: 'removeApiKey',
          summary: 'Take an API key back',
          tags: ['access'],
          params: z.object({ id: z.string().describe('The id of the key, not the key.') }),
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('api-key.not-found') },
        },
      },
      async (request, reply) => {
        await apiKeys.remove(request.params.id);
        return reply.code(204).send(null);
      },
    );
  };
}
