import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDependencies } from './api-dependencies.ts';
import { addressOf } from './identify.ts';
import { passwordField, sessionSchema } from './people-schemas.ts';
import { onlyProblems } from './route-responses.ts';
import type { SessionCookie } from './session-cookie.ts';

const signInSchema = z.strictObject({
  name: z.string().min(1).max(256),
  password: passwordField,
  token: z
    .boolean()
    .default(false)
    .describe('For programs: the answer holds the token of the session, to be sent as a key, and sets no cookie.'),
});

type Needs = Pick<ApiDependencies, 'people'> & { readonly cookie: SessionCookie };

/** How users get in: these routes ask for no key. */
export function signInRoutes({ people, cookie }: Needs): FastifyPluginAsyncZod {
  return async (app) => {
    app.addHook('onSend', async (_request, reply) => {
      reply.header('Cache-Control', 'no-store');
    });

    app.post(
      '/session',
      {
        schema: {
          operationId: 'signIn',
          summary: 'Sign in by name and password',
          description: 'Sets a cookie that only pages of this server can use, and no script can read.',
          tags: ['access'],
          security: [],
          body: signInSchema,
          response: {
            201: sessionSchema.extend({ token: z.string().optional().describe('When asked for.') }).describe('The new session.'),
            ...onlyProblems(
              'request.invalid',
              'sign-in.failed',
              'access.locked-out',
              'access.cross-site',
              'request.rate-limited',
              'request.too-large',
              'request.unsupported-media-type',
            ),
          },
        },
      },
      async (request, reply) => {
        cookie.ensureNoForeignPage(request);
        const { name, password, token: wantsToken } = request.body;
        const origin = { remoteAddress: addressOf(request), userAgent: request.headers['user-agent'] ?? '' };
        const { token, ...session } = await people.passwordSignIn.signIn({ name, password }, origin);
        if (wantsToken) return await reply.code(201).send({ ...session, token });
        cookie.set(reply, token, session.expiresAtMs);
        return await reply.code(201).send(session);
      },
    );

    app.get(
      '/session/methods',
      {
        schema: {
          operationId: 'signInMethods',
          summary: 'How users can sign in here',
          tags: ['access'],
          security: [],
          querystring: z.strictObject({}),
          response: {
            200: z
              .object({
                password: z.literal(true),
                oidc: z
                  .object({ label: z.string(), url: z.string().describe('Where the browser goes.') })
                  .optional()
                  .describe('By OpenID Connect, where it is configured.'),
              })
              .describe('What a page of sign-in offers.'),
            ...onlyProblems('request.invalid'),
          },
        },
      },
      async () => ({
        password: true as const,
        ...(people.oidcSignIn !== undefined && { oidc: { label: people.oidcSignIn.label, url: '/api/v1/session/oidc' } }),
      }),
    );
  };
}
