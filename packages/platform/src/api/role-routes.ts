import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ROLE_NAME, type Role } from '../people/role-store.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { permissionField } from './people-schemas.ts';
import { problems } from './route-responses.ts';

const roleSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    permissions: z.array(permissionField),
    builtIn: z.boolean().describe('Always there and never changed.'),
  })
  .describe('A role: a named set of permissions.');

const params = z.object({
  name: z.string().min(1).max(64).meta({ description: 'The name of the role.', pattern: ROLE_NAME.source }),
});

/** Roles. They belong to all groups, so that only those change them who may at the root. */
export function roleRoutes({ people }: Pick<ApiDependencies, 'people'>): FastifyPluginAsyncZod {
  const { roles } = people;
  return async (app) => {
    app.get(
      '/roles',
      {
        config: { permission: 'users:read' },
        schema: {
          operationId: 'listRoles',
          summary: 'List roles',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(roleSchema) }).describe('The built-in ones first.'), ...problems() },
        },
      },
      async () => ({ items: (await roles.list()).map(shown) }),
    );

    app.put(
      '/roles/:name',
      {
        config: { permission: 'users:write', everything: true },
        schema: {
          operationId: 'putRole',
          summary: 'Make a role, or change it for everybody who has it',
          description: 'Nobody can put into a role, or take out of it, what they do not have themselves.',
          tags: ['access'],
          params,
          body: z.strictObject({
            description: z.string().max(500).default(''),
            permissions: z.array(permissionField).max(200),
          }),
          response: {
            200: roleSchema,
            ...problems('role.built-in', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request) => shown(await roles.put({ ...request.params, ...request.body }, access(request).caller)),
    );

    app.delete(
      '/roles/:name',
      {
        config: { permission: 'users:write', everything: true },
        schema: {
          operationId: 'removeRole',
          summary: 'Remove a role that nobody has',
          tags: ['access'],
          params,
          querystring: z.strictObject({}),
          response: {
            204: z.null().describe('Removed.'),
            ...problems('role.not-found', 'role.built-in', 'role.in-use', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        await roles.remove(request.params.name, access(request).caller);
        return reply.code(204).send(null);
      },
    );
  };
}

function shown(role: Role): z.output<typeof roleSchema> {
  return { ...role, permissions: [...role.permissions] };
}
