import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_GRANTS } from '../people/grant-store.ts';
import { MAX_DISPLAY_NAME_LENGTH, type User } from '../people/user.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { cursorParameter, wholeNumber } from './parameters.ts';
import { groupField, nameParams, passwordField, roleAtSchema, roleField, sessionSchema } from './people-schemas.ts';
import { problems } from './route-responses.ts';

const userSchema = z
  .object({
    name: z.string(),
    displayName: z.string().optional(),
    group: z.string().describe('The node whose administrators see and change the user.'),
    grants: z.array(
      z.object({
        role: z.string(),
        group: z.string(),
        source: z.enum(['local', 'oidc']).describe('`oidc`: by what the identity provider said at the last sign-in.'),
      }),
    ),
    password: z.boolean().describe('Whether the user has a password.'),
    oidc: z.boolean().describe('Whether the user signs in by OpenID Connect.'),
    disabled: z.boolean(),
    locked: z.boolean().describe('After too many wrong passwords.'),
    createdAtMs: z.number(),
    signedInAtMs: z.number().optional(),
    passwordChangedAtMs: z.number().optional(),
  })
  .describe('A user.');

const displayName = z.string().min(1).max(MAX_DISPLAY_NAME_LENGTH);

const draftSchema = z.strictObject({
  name: z.string().min(1).max(256).describe('What the user signs in with: letters, digits and . _ @ + -'),
  displayName: displayName.optional(),
  group: groupField.default('/'),
  password: passwordField.optional().describe('At least 15 characters. Without one the user signs in by OpenID Connect only.'),
  grants: z.array(roleAtSchema).max(MAX_GRANTS).default([]),
});

const patchSchema = z.strictObject({
  displayName: displayName.nullable().optional(),
  group: groupField.optional(),
  disabled: z.boolean().optional().describe('Disabled users are signed out at once, and cannot sign in.'),
});

const BODY = ['request.too-large', 'request.unsupported-media-type', 'access.cross-site'] as const;

/** The users. Those outside of the caller's own nodes look not there. */
export function userRoutes({ people }: Pick<ApiDependencies, 'people'>): FastifyPluginAsyncZod {
  const { users } = people;
  return async (app) => {
    app.post(
      '/users',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'addUser',
          summary: 'Add a user',
          tags: ['access'],
          body: draftSchema,
          response: {
            201: userSchema,
            ...problems('user.exists', 'role.not-found', 'password.refused', 'request.rate-limited', ...BODY),
          },
        },
      },
      async (request, reply) => {
        const user = await users.create(request.body, access(request).caller);
        return await reply
          .code(201)
          .header('Location', `/api/v1/users/${encodeURIComponent(user.name)}`)
          .send(shown(user));
      },
    );

    app.get(
      '/users',
      {
        config: { permission: 'users:read' },
        schema: {
          operationId: 'listUsers',
          summary: 'List users',
          tags: ['access'],
          querystring: z.strictObject({
            prefix: z.string().max(256).optional().describe('The name starts with this.'),
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Users in a page.'),
            cursor: cursorParameter,
          }),
          response: {
            200: z
              .object({ items: z.array(userSchema), cursor: z.string().optional().describe('Present when there are more.') })
              .describe('A page of users, ordered by name.'),
            ...problems(),
          },
        },
      },
      async (request) => {
        const { prefix, limit, cursor } = request.query;
        const page = await users.list({ prefix, limit, cursor, scope: access(request).scope });
        return { items: page.items.map(shown), ...(page.cursor !== undefined && { cursor: page.cursor }) };
      },
    );

    app.get(
      '/users/:name',
      {
        config: { permission: 'users:read' },
        schema: {
          operationId: 'getUser',
          summary: 'Show a user',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({}),
          response: { 200: userSchema, ...problems('user.not-found') },
        },
      },
      async (request) => shown(await users.get(request.params.name, access(request).caller)),
    );

    app.patch(
      '/users/:name',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'changeUser',
          summary: 'Change a user',
          tags: ['access'],
          params: nameParams,
          body: patchSchema,
          response: { 200: userSchema, ...problems('user.not-found', ...BODY) },
        },
      },
      async (request) => shown(await users.update(request.params.name, request.body, access(request).caller)),
    );

    app.delete(
      '/users/:name',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'removeUser',
          summary: 'Remove a user',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('user.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await users.remove(request.params.name, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/users/:name/password',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'setUserPassword',
          summary: 'Give a user a new password',
          description: 'Ends the sessions of the user, and unlocks the account.',
          tags: ['access'],
          params: nameParams,
          body: z.strictObject({ password: passwordField }),
          response: {
            204: z.null().describe('Set.'),
            ...problems('user.not-found', 'password.refused', 'request.rate-limited', ...BODY),
          },
        },
      },
      async (request, reply) => {
        await users.setPassword(request.params.name, request.body.password, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/users/:name/unlock',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'unlockUser',
          summary: 'Let a user try again after too many wrong passwords',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Unlocked.'), ...problems('user.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await users.unlock(request.params.name, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/users/:name/sessions',
      {
        config: { permission: 'users:read' },
        schema: {
          operationId: 'listUserSessions',
          summary: 'Where a user is signed in',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(sessionSchema) }).describe('Newest first.'),
            ...problems('user.not-found'),
          },
        },
      },
      async (request) => ({ items: [...(await users.sessionsOf(request.params.name, access(request).caller))] }),
    );

    app.delete(
      '/users/:name/sessions',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'endUserSessions',
          summary: 'Sign a user out everywhere',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Signed out.'), ...problems('user.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await users.endSessions(request.params.name, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/users/:name/grants',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'grantUserRole',
          summary: 'Give a user a role at a node',
          description: 'Nobody can give what they do not have themselves at that node.',
          tags: ['access'],
          params: nameParams,
          body: roleAtSchema,
          response: { 200: userSchema, ...problems('user.not-found', 'role.not-found', ...BODY) },
        },
      },
      async (request) => shown(await users.grant(request.params.name, request.body, access(request).caller)),
    );

    app.delete(
      '/users/:name/grants',
      {
        config: { permission: 'users:write' },
        schema: {
          operationId: 'revokeUserRole',
          summary: 'Take a role at a node back from a user',
          tags: ['access'],
          params: nameParams,
          querystring: z.strictObject({ role: roleField, group: groupField }),
          response: { 200: userSchema, ...problems('user.not-found', 'grant.not-found', 'access.cross-site') },
        },
      },
      async (request) => shown(await users.revoke(request.params.name, request.query, access(request).caller)),
    );
  };
}

function shown(user: User): z.output<typeof userSchema> {
  return { ...user, grants: [...user.grants] };
}
