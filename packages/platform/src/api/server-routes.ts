import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { onlyProblems, problems } from './route-responses.ts';
import { serverStatsSchema } from './server-stats.ts';

/** Whether the process lives and whether it is of use yet: for supervisors, without a key. */
export function healthRoutes({ readiness }: Pick<ApiDependencies, 'readiness'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/healthz',
      {
        schema: {
          operationId: 'health',
          summary: 'The process lives',
          tags: ['server'],
          security: [],
          response: { 200: z.object({ status: z.literal('ok') }).describe('It does.') },
        },
      },
      async (_request, reply) => reply.header('Cache-Control', 'no-store').send({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        schema: {
          operationId: 'readiness',
          summary: 'The server is ready: what the log held is in the store',
          tags: ['server'],
          security: [],
          response: { 200: z.object({ status: z.literal('ready') }).describe('It is.'), ...onlyProblems('server.not-ready') },
        },
      },
      async (_request, reply) => {
        const reason = readiness.reason();
        if (reason !== undefined) throw new SelsynError('server.not-ready', reason, { retryable: true });
        return reply.header('Cache-Control', 'no-store').send({ status: 'ready' as const });
      },
    );
  };
}

/** Metrics for Prometheus. */
export function metricsRoute({ metrics }: Pick<ApiDependencies, 'metrics'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/metrics',
      {
        config: { permission: 'server:read', everything: true },
        schema: {
          operationId: 'metrics',
          summary: 'Metrics of all threads in the Prometheus text format',
          tags: ['server'],
          response: {
            200: { description: 'Metrics.', content: { 'text/plain; version=0.0.4; charset=utf-8': { schema: z.string() } } },
            ...problems('thread.timeout'),
          },
        },
      },
      async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics.render()),
    );
  };
}

/** The server's own rates. */
export function serverRoutes({ stats }: Pick<ApiDependencies, 'stats'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/stats',
      {
        config: { permission: 'server:read', everything: true },
        schema: {
          operationId: 'stats',
          summary: 'Rates and totals of the server',
          tags: ['server'],
          querystring: z.strictObject({}),
          response: { 200: serverStatsSchema, ...problems() },
        },
      },
      async () => stats.current(),
    );
  };
}
