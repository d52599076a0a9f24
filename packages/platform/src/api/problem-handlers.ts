import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, SelsynError, systemCode } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { PROBLEM_TYPE, problemOf, rawProblem, toSelsynError } from './problem.ts';

const RETRY_AFTER_S = 1;

/** Answers with the problem document of whatever was thrown; faults of the server also leave a log line. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, logLines: LogLines): void {
  const error = toSelsynError(thrown);
  const { status } = ERRORS[error.code];
  const instance = pathOf(request.url);
  // That a device does not answer is no fault of the server.
  if (status >= 500 && error.code !== 'command.unanswered') {
    logLines.error({ err: error, code: error.code, method: request.method, path: instance }, 'a request could not be served');
  }
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer realm="selsyn"');
  if (error.retryable || error.code === 'server.not-ready') reply.header('Retry-After', retryAfter(error));
  // Built by hand, so that no cached header of the answer that failed stays: a length, a type, a validator.
  for (const stale of ['content-length', 'content-encoding', 'etag', 'last-modified']) reply.removeHeader(stale);
  reply
    .header('Cache-Control', 'no-store')
    .code(status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemOf(error, instance)));
}

/** Seconds; an error that knows better says so. */
function retryAfter({ details }: SelsynError): number {
  const { retryAfterSec } = details;
  return typeof retryAfterSec === 'number' ? retryAfterSec : RETRY_AFTER_S;
}

/** Every error of the routes, and every address where there is none, becomes a problem document. */
export function answerWithProblems(app: FastifyInstance, logLines: LogLines): void {
  app.setErrorHandler((error, request, reply) => {
    sendProblem(error, request, reply, logLines);
    return reply;
  });
}

export function noRoute(request: FastifyRequest): SelsynError {
  return new SelsynError('route.not-found', `there is nothing at ${request.method} ${pathOf(request.url)}`);
}

/** Answers what is not HTTP at all, or was too slow or too long to become a request; a socket that is gone is left alone. */
export function answerBrokenRequest(error: Error, socket: Socket): void {
  const code = systemCode(error);
  if (code === 'ECONNRESET' || !socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const tooLarge = code === 'HPE_HEADER_OVERFLOW' || code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW';
  const problem = tooLarge
    ? new SelsynError('request.too-large', 'the header of the request is too long')
    : code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new SelsynError('request.invalid', 'the request did not arrive in time')
      : new SelsynError('request.invalid', 'this is not a request of HTTP/1.1');
  socket.end(rawProblem(problem));
}

/** Without the query, which may be long and is not for logs. */
function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
