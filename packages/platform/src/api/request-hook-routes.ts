import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_HOOK_URL_LENGTH, METHOD_PATTERN } from '../commands/requests/request-hook.ts';
import { RequestHookStore } from '../commands/requests/request-hook-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { problems } from './route-responses.ts';

const hookSchema = z
  .object({
    method: z.string(),
    url: z.string(),
    createdAtMs: z.number(),
    updatedAtMs: z.number(),
  })
  .describe('Who answers a method.');

const methodParams = z.object({
  method: z
    .string()
    .regex(METHOD_PATTERN, 'must be 1 to 128 of A-Z a-z 0-9 : _ . -')
    .meta({ description: 'What devices ask for.', pattern: '^[A-Za-z0-9:_.-]{1,128}$' }),
});

const putSchema = z.strictObject({
  url: z.string().min(1).max(MAX_HOOK_URL_LENGTH).describe('`https://…` or `http://…`, asked by POST from this server.'),
});

type Needs = Pick<ApiDependencies, 'state'>;

/** Who answers what devices ask. */
export function requestHookRoutes({ state }: Needs): FastifyPluginAsyncZod {
  const store = new RequestHookStore(state.reader);
  return async (app) => {
    app.get(
      '/request-hooks',
      {
        config: { permission: 'commands:read', everything: true },
        schema: {
          operationId: 'listRequestHooks',
          summary: 'List who answers the requests of devices',
          tags: ['commands'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(hookSchema) }).describe('By method.'), ...problems() },
        },
      },
      async () => ({ items: (await store.list()).map((hook) => ({ ...hook })) }),
    );

    app.get(
      '/request-hooks/:method',
      {
        config: { permission: 'commands:read', everything: true },
        schema: {
          operationId: 'getRequestHook',
          summary: 'Show who answers a method',
          tags: ['commands'],
          params: methodParams,
          querystring: z.strictObject({}),
          response: { 200: hookSchema, ...problems('request-hook.not-found') },
        },
      },
      async (request) => ({ ...(await store.get(request.params.method)) }),
    );

    app.put(
      '/request-hooks/:method',
      {
        config: { permission: 'commands:write', everything: true },
        schema: {
          operationId: 'putRequestHook',
          summary: 'Have a method answered by a program of yours',
          description:
            'The URL gets a POST of `{device, clientId, request, method, params}` and answers 200 with the JSON that the device is to get, within 5 s.',
          tags: ['commands'],
          params: methodParams,
          body: putSchema,
          response: {
            200: hookSchema,
            ...problems('state.busy', 'thread.timeout', 'request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request) => {
        const { method } = request.params;
        return { ...(await state.calls.call('putRequestHook', { method, url: request.body.url, actor: access(request).actor })) };
      },
    );

    app.delete(
      '/request-hooks/:method',
      {
        config: { permission: 'commands:write', everything: true },
        schema: {
          operationId: 'removeRequestHook',
          summary: 'Have a method answered by nobody any more',
          tags: ['commands'],
          params: methodParams,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('Removed.'),
            ...problems('request-hook.not-found', 'state.busy', 'thread.timeout'),
          },
        },
      },
      async (request, reply) => {
        await state.calls.call('removeRequestHook', { method: request.params.method, actor: access(request).actor });
        return await reply.code(204).send(null);
      },
    );
  };
}
