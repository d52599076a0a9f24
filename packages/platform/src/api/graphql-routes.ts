import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { GraphqlContext } from './graphql/graphql-context.ts';
import { GraphqlServer } from './graphql/graphql-server.ts';
import { graphqlSchema } from './graphql/schema.ts';
import type { Subscriptions } from './graphql/subscriptions.ts';
import { checkJsonDepth } from './json-depth.ts';
import { problems } from './route-responses.ts';

const DEADLINE_MS = 30_000;
/** Of brackets and braces, values included: more than any query that is not refused for its depth. */
const MAX_DOCUMENT_LEVELS = 128;

const bodySchema = z
  .strictObject({
    query: z.string().min(1).describe('A document of GraphQL.'),
    variables: z.record(z.string(), z.unknown()).nullable().optional(),
    operationName: z.string().nullable().optional().describe('Which one, where the document has several.'),
    extensions: z.record(z.string(), z.unknown()).nullable().optional().describe('Not looked at.'),
  })
  .describe('One operation: several at once are not taken.');

const answerSchema = z
  .object({
    data: z.record(z.string(), z.unknown()).nullable().optional(),
    errors: z
      .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
      .optional()
      .describe('`extensions.code` is that of REST.'),
  })
  .describe('As GraphQL over HTTP has it.');

/** GraphQL over the same things as REST: what a caller may do is asked for by each field. */
export function graphqlRoutes(subscriptions: Subscriptions, dependencies: ApiDependencies): FastifyPluginAsyncZod {
  const server = new GraphqlServer({ schema: graphqlSchema(), logLines: dependencies.logLines });
  return async (app) => {
    app.post(
      '/graphql',
      {
        config: { permission: 'signed-in' },
        schema: {
          operationId: 'graphql',
          summary: 'Ask by GraphQL',
          description:
            'The schema is docs/reference/graphql.graphql; introspection gives it too. A subscription is answered by Server-Sent Events, with ' +
            '`Accept: text/event-stream`. A query that is too deep or too costly is refused before it begins.',
          tags: ['graphql'],
          body: bodySchema,
          response: {
            200: answerSchema,
            ...problems('request.too-large', 'request.unsupported-media-type', 'thread.timeout', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        checkJsonDepth(request.body.query, MAX_DOCUMENT_LEVELS);
        const gone = new AbortController();
        const context = new GraphqlContext({
          services: dependencies,
          subscriptions,
          access: access(request),
          signal: gone.signal,
        });
        const answer = await beforeDeadline(
          reply,
          gone,
          async () => await server.answer(request.body, request.headers.accept, context),
        );
        // Also what is wrong with the request itself is said by GraphQL, with another status where the client takes that.
        reply
          .code(answer.status as 200)
          .type(answer.contentType)
          .header('Cache-Control', 'no-store');
        if (typeof answer.body === 'string') return reply.serializer(String).send(answer.body as never);
        // A socket on which a stream has ended is of no use to anybody; a server that stops would wait for it.
        reply.header('X-Accel-Buffering', 'no').header('Connection', 'close');
        return reply.send(Readable.from(answer.body, { objectMode: false }) as never);
      },
    );
  };
}

/** Work that has an answer soon, if only the beginning of a stream. @throws SelsynError `thread.timeout` */
async function beforeDeadline<T>(reply: FastifyReply, gone: AbortController, work: () => Promise<T>): Promise<T> {
  const late = new SelsynError('thread.timeout', `the request took longer than ${DEADLINE_MS} ms`, { retryable: true });
  const timer = setTimeout(() => gone.abort(late), DEADLINE_MS);
  reply.raw.once('close', () => gone.abort(new SelsynError('request.invalid', 'the client has gone')));
  try {
    return await Promise.race([
      work(),
      new Promise<never>((_, reject) => gone.signal.addEventListener('abort', () => reject(gone.signal.reason as SelsynError))),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
