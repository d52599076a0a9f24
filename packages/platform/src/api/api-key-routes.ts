import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiKey } from '../people/api-keys.ts';
import { MAX_GRANTS, type RoleAt } from '../people/grant-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { groupField, roleAtSchema, roleField } from './people-schemas.ts';
import { invalidRequest } from './problem.ts';
import { problems } from './route-responses.ts';

const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string().describe('How the key begins; empty for keys of before 0.2.'),
    group: z.string().describe('The node whose administrators see and remove it.'),
    grants: z.array(z.object({ role: z.string(), group: z.string() })),
    createdAtMs: z.number(),
    expiresAtMs: z.number().optional().describe('From then on it is refused. Absent: never.'),
    usedAtMs: z.number().optional().describe('Last used, to the minute.'),
  })
  .describe('An API key.');

const draftSchema = z.strictObject({
  name: z.string().min(1).max(200),
  grants: z.array(roleAtSchema).min(1).max(MAX_GRANTS).optional(),
  access: z
    .enum(['admin', 'read'])
    .optional()
    .describe('Instead of `grants`: `admin` is administrator at the root, `read` is viewer at the root.'),
  group: groupField.optional().describe('Absent: the node of its grants where that is one, else the root.'),
  expiresAtMs: z.number().int().positive().optional(),
});

const params = z.object({ id: z.string().min(1).max(64).describe('The id of the key, not the key.') });

/** Keys of the API besides the administrator's. Those outside of the caller's own nodes look not there. */
export function apiKeyRoutes({ people }: Pick<ApiDependencies, 'people'>): FastifyPluginAsyncZod {
  const { apiKeys } = people;
  return async (app) => {
    app.post(
      '/api-keys',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'addApiKey',
          summary: 'Make an API key',
          description: 'Nobody can give a key what they do not have themselves at that node.',
          tags: ['access'],
          body: draftSchema,
          response: {
            201: keySchema
              .extend({ key: z.string().describe('Shown this once: only its hash is kept.') })
              .describe('The new key.'),
            ...problems('role.not-found', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        const { access: shorthand, grants, ...draft } = request.body;
        const made = await apiKeys.create({ ...draft, grants: grantsOf(grants, shorthand) }, access(request).caller);
        return await reply.code(201).send({ ...shown(made), key: made.key });
      },
    );

    app.get(
      '/api-keys',
      {
        config: { permission: 'keys:read' },
        schema: {
          operationId: 'listApiKeys',
          summary: 'List the API keys',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(keySchema) }).describe('Oldest first.'), ...problems() },
        },
      },
      async (request) => ({ items: (await apiKeys.list(access(request).scope)).map(shown) }),
    );

    app.delete(
      '/api-keys/:id',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'removeApiKey',
          summary: 'Take an API key back',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('api-key.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await apiKeys.remove(request.params.id, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/api-keys/:id/grants',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'grantApiKeyRole',
          summary: 'Give an API key a role at a node',
          tags: ['access'],
          params,
          body: roleAtSchema,
          response: {
            204: z.null().describe('Given.'),
            ...problems(
              'api-key.not-found',
              'role.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'access.cross-site',
            ),
          },
        },
      },
      async (request, reply) => {
        await apiKeys.grant(request.params.id, request.body, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/api-keys/:id/grants',
      {
        config: { permission: 'keys:write' },
        schema: {
          operationId: 'revokeApiKeyRole',
          summary: 'Take a role at a node back from an API key',
          tags: ['access'],
          params,
          querystring: z.strictObject({ role: roleField, group: groupField }),
          response: {
            204: z.null().describe('Taken back.'),
            ...problems('api-key.not-found', 'grant.not-found', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        await apiKeys.revoke(request.params.id, request.query, access(request).caller);
        return reply.code(204).send(null);
      },
    );
  };
}

/** @throws SelsynError `request.invalid` */
function grantsOf(grants: readonly RoleAt[] | undefined, shorthand: 'admin' | 'read' | undefined): readonly RoleAt[] {
  if ((grants === undefined) === (shorthand === undefined)) {
    throw invalidRequest([{ in: 'body', field: 'grants', message: 'name the roles of the key here, or by "access"' }]);
  }
  return grants ?? [{ role: shorthand === 'admin' ? 'administrator' : 'viewer', group: '/' }];
}

function shown({ grants, id, name, prefix, group, createdAtMs, expiresAtMs, usedAtMs }: ApiKey): z.output<typeof keySchema> {
  return {
    id,
    name,
    prefix,
    group,
    grants: [...grants],
    createdAtMs,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(usedAtMs !== undefined && { usedAtMs }),
  };
}
