import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';

/** Hands the routes of this scope their bodies as they come, whatever type they say that they have, or none. */
export function takeRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.addHook('onRequest', async ({ headers }) => {
    // Some send it empty, which the framework refuses.
    if (headers['content-type'] === '') headers['content-type'] = 'application/octet-stream';
  });
}

/** The body as it comes; without one it is empty. Behind `takeRawBodies`. */
export function bodyOf({ body }: FastifyRequest): Readable {
  return body instanceof Readable ? body : Readable.from([]);
}

/** What was thrown while a request was served, as the platform's error. */
export function errorOf(thrown: unknown): SelsynError {
  if (isSelsynError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const status = thrown instanceof Error && 'statusCode' in thrown ? Number(thrown.statusCode) : 500;
  return new SelsynError(status >= 400 && status < 500 ? 'request.invalid' : 'internal', message, { cause: thrown });
}
