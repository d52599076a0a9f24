import { existsSync } from 'node:fs';
import path from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { noRoute } from './problem-handlers.ts';

const IMMUTABLE = 'public, max-age=31536000, immutable';

/**
 * Serves the built dashboard: its hashed assets for ever, its index.html for every address that a browser navigates to and
 * that is nothing else. Whatever else is not there is a problem document.
 */
export async function serveDashboard(app: FastifyInstance, dashboardDir: string | undefined): Promise<void> {
  const root = dashboardDir === undefined ? undefined : path.resolve(dashboardDir);
  if (root === undefined || !existsSync(path.join(root, 'index.html'))) {
    app.setNotFoundHandler(async (request) => {
      throw noRoute(request);
    });
    return;
  }
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    index: 'index.html',
    cacheControl: false,
    dotfiles: 'ignore',
    setHeaders: (reply, file) => {
      const immutable = path.relative(root, file).startsWith(`assets${path.sep}`);
      reply.header('Cache-Control', immutable ? IMMUTABLE : 'no-cache');
    },
  });
  app.setNotFoundHandler(async (request, reply) => {
    if (!isNavigation(request)) throw noRoute(request);
    return await reply.sendFile('index.html');
  });
}

/** A browser that goes to a page, not a program or a page that asks for a file. */
function isNavigation(request: FastifyRequest): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const pathname = request.url.split('?', 1)[0] ?? '';
  if (pathname === '/api' || pathname.startsWith('/api/') || pathname.startsWith('/assets/')) return false;
  return (request.headers.accept ?? '').includes('text/html');
}
