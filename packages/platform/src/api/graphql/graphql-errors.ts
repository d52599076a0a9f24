import { GraphQLError } from 'graphql';
import { SelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { problemOf, toSelsynError } from '../problem.ts';

/**
 * An error as whoever asked sees it: with the code that REST has in its problem documents, and the facts for a program.
 *
 * What GraphQL itself finds wrong with a request is `request.invalid`; a fault of the server is told to the log.
 */
export function shownError(error: unknown, logLines: Pick<LogLines, 'error'>): GraphQLError {
  const cause = rootOf(error);
  const known =
    cause instanceof GraphQLError ? new SelsynError('request.invalid', cause.message, { cause }) : toSelsynError(cause);
  const { code, details, detail, status } = problemOf(known, '');
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : NOWHERE;
  if (status >= 500 && code !== 'server.not-ready')
    logLines.error({ err: known, code, path: path?.join('.') }, 'a field of GraphQL could not be given');
  return new GraphQLError(detail, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions: {
      code,
      details,
      ...(known.retryable && { retryable: true }),
      // Of a request that was not executed at all: only those are told by a status who ask for application/graphql-response+json.
      ...(path === undefined && { http: { spec: true, status } }),
    },
  });
}

const NOWHERE = { nodes: undefined, source: undefined, positions: undefined, path: undefined };

/** What was thrown first: executions wrap it, sometimes twice. */
function rootOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}
