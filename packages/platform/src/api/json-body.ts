import type { FastifyInstance } from 'fastify';
import { toSelsynError } from './problem.ts';
import { checkJsonDepth } from './json-depth.ts';

/**
 * Takes bodies of a media type that is JSON, none that is too deep or has a key by which JavaScript means something else. An empty body with
 * the type of JSON is no body: many clients name the type in every request.
 */
export function takeJson(app: FastifyInstance, mediaType: string): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser(mediaType, { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    try {
      checkJsonDepth(text);
    } catch (error) {
      done(toSelsynError(error));
      return;
    }
    if (text === '') done(null, undefined);
    else void parse(request, text, done);
  });
}
