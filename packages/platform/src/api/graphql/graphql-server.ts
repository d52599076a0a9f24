import { getOperationAST, getVariableValues, parse, type ExecutionArgs, type GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { ERRORS } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import type { GraphqlContext } from './graphql-context.ts';
import { shownError } from './graphql-errors.ts';
import { checkLimits, measure } from './query-limits.ts';

/** Words, names and signs of a query: the longest that tools send have some hundreds. */
const MAX_TOKENS = 5_000;

/** A request as its body says it. */
export interface GraphqlRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
  readonly operationName?: string | null | undefined;
}

/** What is sent back: one JSON text, or Server-Sent Events. */
export interface GraphqlAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | AsyncIterable<Uint8Array>;
}

/** Executes GraphQL within its limits. Who asks was found out before. */
export class GraphqlServer {
  readonly #yoga;

  constructor(dependencies: { readonly schema: GraphQLSchema; readonly logLines: Pick<LogLines, 'error'> }) {
    const { schema, logLines } = dependencies;
    this.#yoga = createYoga<{ readonly selsyn: GraphqlContext }>({
      schema,
      graphqlEndpoint: ENDPOINT,
      graphiql: false,
      landingPage: false,
      cors: false,
      batching: false,
      multipart: false,
      logging: false,
      maskedErrors: { maskError: (error) => shownError(error, logLines) },
      plugins: [limits(schema), ownCodes(logLines)],
    });
  }

  /** @param accept by it a subscription is told from other operations; without it the answer is JSON. */
  async answer(request: GraphqlRequest, accept: string | undefined, context: GraphqlContext): Promise<GraphqlAnswer> {
    const { query, variables, operationName } = request;
    const response = await this.#yoga.fetch(
      `http://selsyn${ENDPOINT}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: accept ?? 'application/json' },
        body: JSON.stringify({ query, variables, operationName }),
      },
      { selsyn: context },
    );
    const contentType = response.headers.get('content-type') ?? 'application/json';
    const { status, body } = response;
    if (body !== null && contentType.startsWith('text/event-stream')) return { status, contentType, body };
    return { status, contentType, body: await response.text() };
  }
}

const ENDPOINT = '/api/graphql';

/** Refuses what would be too large, before any of it is done. */
function limits(schema: GraphQLSchema): Plugin {
  const check = ({ document, operationName, variableValues }: ExecutionArgs): void => {
    const operation = getOperationAST(document, operationName);
    // What cannot be executed is told so by the execution.
    if (operation === null || operation === undefined) return;
    const variables = getVariableValues(schema, operation.variableDefinitions ?? [], variableValues ?? {});
    if (variables.coerced !== undefined) checkLimits(measure(schema, document, operation, variables.coerced));
  };
  return {
    onParse: ({ setParseFn }) => setParseFn((source, options) => parse(source, { ...options, maxTokens: MAX_TOKENS })),
    onExecute: ({ args }) => check(args),
    onSubscribe: ({ args }) => check(args),
  };
}

/** Yoga has codes of its own for what is wrong with a document. */
function ownCodes(logLines: Pick<LogLines, 'error'>): Plugin {
  return {
    onExecutionResult({ result, setResult }) {
      if (result === undefined || Array.isArray(result) || Symbol.asyncIterator in result) return;
      const { errors } = result;
      if (errors === undefined || errors.every(isOurs)) return;
      setResult({ ...result, errors: errors.map((error) => (isOurs(error) ? error : shownError(error, logLines))) });
    },
  };
}

function isOurs({ extensions }: GraphQLError): boolean {
  return typeof extensions['code'] === 'string' && extensions['code'] in ERRORS;
}
