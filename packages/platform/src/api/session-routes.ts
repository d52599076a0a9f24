import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import type { Caller } from '../people/caller.ts';
import type { SessionCaller } from '../people/sessions.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { passwordField, sessionSchema } from './people-schemas.ts';
import { problems } from './route-responses.ts';
import type { SessionCookie } from './session-cookie.ts';
import { whoAmI, whoAmISchema } from './who-am-i.ts';

const passwordSchema = z.strictObject({ current: passwordField, next: passwordField });

type Needs = Pick<ApiDependencies, 'people'> & { readonly cookie: SessionCookie };

/** Who asks, and what users do with their own sessions and password. */
export function sessionRoutes({ people, cookie }: Needs): FastifyPluginAsyncZod {
  const { ownAccount } = people;
  return async (app) => {
    app.get(
      '/me',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'whoAmI',
          summary: 'Who asks, and what they may do where',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: whoAmISchema, ...problems() },
        },
      },
      async (request) => whoAmI(access(request).caller),
    );

    app.get(
      '/session',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'getSession',
          summary: 'The session that this request comes by',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ session: sessionSchema, me: whoAmISchema }).describe('The session, and whose it is.'),
            ...problems('session.not-found'),
          },
        },
      },
      async (request) => {
        const caller = sessionCaller(access(request).caller);
        const session = (await ownAccount.sessions(caller)).find(({ id }) => id === caller.sessionId);
        if (session === undefined) throw noSession();
        return { session, me: whoAmI(caller) };
      },
    );

    app.delete(
      '/session',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'signOut',
          summary: 'Sign out',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('The session has ended.'), ...problems('session.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        const caller = sessionCaller(access(request).caller);
        await ownAccount.endSession(caller.sessionId, caller);
        cookie.clear(reply);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/sessions',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'listOwnSessions',
          summary: 'Where I am signed in',
          tags: ['access'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(sessionSchema) }).describe('Newest first.'), ...problems() },
        },
      },
      async (request) => ({ items: [...(await ownAccount.sessions(access(request).caller))] }),
    );

    app.delete(
      '/sessions/:id',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'endOwnSession',
          summary: 'Sign me out somewhere',
          tags: ['access'],
          params: z.object({ id: z.string().min(1).max(64).describe('The id of the session.') }),
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('It has ended.'), ...problems('session.not-found', 'access.cross-site') },
        },
      },
      async (request, reply) => {
        await ownAccount.endSession(request.params.id, access(request).caller);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/session/password',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'changeOwnPassword',
          summary: 'Change my password',
          description: 'Ends all my other sessions.',
          tags: ['access'],
          body: passwordSchema,
          response: {
            204: z.null().describe('Changed.'),
            ...problems(
              'sign-in.failed',
              'access.locked-out',
              'access.cross-site',
              'password.refused',
              'session.not-found',
              'request.rate-limited',
              'request.too-large',
              'request.unsupported-media-type',
            ),
          },
        },
      },
      async (request, reply) => {
        await ownAccount.changePassword(request.body, sessionCaller(access(request).caller));
        return reply.code(204).send(null);
      },
    );
  };
}

/** @throws SelsynError `session.not-found` for those who come by a key */
function sessionCaller(caller: Caller): SessionCaller {
  if (!isSessionCaller(caller)) throw noSession();
  return caller;
}

function isSessionCaller(caller: Caller): caller is SessionCaller {
  return 'sessionId' in caller;
}

function noSession(): SelsynError {
  return new SelsynError('session.not-found', 'this request comes by a key, not by a session');
}
