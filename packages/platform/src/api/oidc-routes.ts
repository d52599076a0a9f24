import type {} from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isSelsynError } from '../kernel/errors.ts';
import { PENDING_MS, type OidcSignIn } from '../people/oidc-sign-in.ts';
import { addressOf } from './identify.ts';
import { onlyProblems } from './route-responses.ts';
import type { SessionCookie } from './session-cookie.ts';

const moved = (what: string) => ({ description: what, content: { 'text/plain': { schema: z.string() } } });

/** Sign-in by OpenID Connect: the browser comes here, goes to the identity provider, and comes back. */
export function oidcRoutes(oidc: OidcSignIn, cookie: SessionCookie): FastifyPluginAsyncZod {
  /** Lax: the browser comes back from another site. */
  const attributes = (request: FastifyRequest) =>
    ({ path: '/', httpOnly: true, sameSite: 'lax', secure: cookie.isSecure(request) }) as const;
  const pendingCookie = (request: FastifyRequest) => (cookie.isSecure(request) ? '__Host-selsyn-oidc' : 'selsyn-oidc');

  return async (app) => {
    app.get(
      '/session/oidc',
      {
        exposeHeadRoute: false,
        schema: {
          operationId: 'beginOidc',
          summary: 'Sign in by OpenID Connect',
          description: 'For browsers: leads to the identity provider.',
          tags: ['access'],
          security: [],
          querystring: z.strictObject({
            returnTo: z.string().max(2048).default('/').describe('The path of the page that comes after the sign-in.'),
          }),
          response: { 302: moved('To the identity provider.'), ...onlyProblems('request.invalid', 'sign-in.unavailable') },
        },
      },
      async (request, reply) => {
        const { url, pending } = await oidc.begin(request.query.returnTo);
        reply.setCookie(pendingCookie(request), pending, { ...attributes(request), maxAge: PENDING_MS / 1000 });
        return await reply.redirect(url, 302);
      },
    );

    app.get(
      '/session/oidc/callback',
      {
        exposeHeadRoute: false,
        schema: {
          operationId: 'finishOidc',
          summary: 'Where the identity provider sends the browser back to',
          description: 'When the sign-in failed, the page that it leads to is `/?sign-in-failed=CODE`.',
          tags: ['access'],
          security: [],
          querystring: z.looseObject({}),
          response: { 303: moved('To a page of this server.'), ...onlyProblems('request.invalid') },
        },
      },
      async (request, reply) => {
        const name = pendingCookie(request);
        const query = request.url.slice(request.url.indexOf('?') + 1);
        const origin = { remoteAddress: addressOf(request), userAgent: request.headers['user-agent'] ?? '' };
        reply.clearCookie(name, attributes(request));
        try {
          const { session, returnTo } = await oidc.finish(query, request.cookies[name], origin);
          cookie.set(reply, session.token, session.expiresAtMs);
          return await reply.redirect(returnTo, 303);
        } catch (error) {
          if (!isSelsynError(error, 'sign-in.failed', 'sign-in.unavailable', 'access.denied')) throw error;
          return await reply.redirect(`/?sign-in-failed=${error.code}`, 303);
        }
      },
    );
  };
}
