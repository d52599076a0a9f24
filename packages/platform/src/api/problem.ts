import { STATUS_CODES } from 'node:http';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ERRORS, isSelsynError, SelsynError, type ErrorCode } from '../kernel/errors.ts';

/** RFC 9457, with the error's code and facts as extension members. */
export const problemSchema = z
  .object({
    type: z.string().describe('A URN made of the code.'),
    title: z.string().describe('The same for every error of this code.'),
    status: z.number().int(),
    detail: z.string().describe('What happened here, for people.'),
    code: z.string().describe('What a program goes by.'),
    details: z.record(z.string(), z.unknown()).describe('Facts for a program.'),
    instance: z.string().describe('The path of the request.'),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457).' });

export type Problem = z.output<typeof problemSchema>;

export const PROBLEM_TYPE = 'application/problem+json';

/** Where a value of a request stands that is not as it must be. */
export interface RequestIssue {
  readonly in: 'query' | 'body' | 'params' | 'headers';
  readonly field: string;
  readonly message: string;
}

/** A `request.invalid` that names each wrong field. */
export function invalidRequest(issues: readonly RequestIssue[], cause?: unknown): SelsynError {
  const shown = issues.slice(0, 5).map((issue) => `${issue.in}${issue.field === '' ? '' : ` ${issue.field}`}: ${issue.message}`);
  return new SelsynError('request.invalid', shown.join('; '), { cause, details: { issues } });
}

/** Whatever was thrown while a request was served, as the platform's error. What it cannot place is `internal`. */
export function toSelsynError(error: unknown): SelsynError {
  if (isSelsynError(error)) return error;
  if (error instanceof z.ZodError) return invalidRequest(issuesOf('query', error.issues), error);
  if (hasZodFastifySchemaValidationErrors(error)) return fromValidation(error);
  if (!(error instanceof Error)) return unexpected(error);
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  if (status < 400 || status >= 500) return unexpected(error);
  const code = CODE_OF_STATUS[status] ?? 'request.invalid';
  const message =
    code === 'request.unsupported-media-type'
      ? 'a body must be JSON, with the header "Content-Type: application/json"'
      : error.message;
  return new SelsynError(code, message, { cause: error });
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  404: 'route.not-found',
  413: 'request.too-large',
  414: 'request.too-large',
  415: 'request.unsupported-media-type',
  429: 'request.rate-limited',
  431: 'request.too-large',
};

export function problemOf(error: SelsynError, instance: string): Problem {
  const { status, title } = ERRORS[error.code];
  return {
    type: `urn:selsyn:error:${error.code}`,
    title,
    status,
    // What went wrong inside is for the log, not for whoever asked.
    detail: error.code === 'internal' ? 'the request could not be served; the log of the server tells why' : error.message,
    code: error.code,
    details: error.code === 'internal' ? {} : error.details,
    instance,
  };
}

/** The whole answer as bytes of HTTP/1.1, for what never became a request. */
export function rawProblem(error: SelsynError): string {
  const body = JSON.stringify(problemOf(error, ''));
  const { status } = ERRORS[error.code];
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

function unexpected(cause: unknown): SelsynError {
  return new SelsynError('internal', cause instanceof Error ? cause.message : String(cause), { cause });
}

interface ValidationIssue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function issuesOf(where: RequestIssue['in'], issues: readonly ValidationIssue[]): RequestIssue[] {
  return issues.flatMap((issue): RequestIssue[] => {
    if (issue.code === 'unrecognized_keys' && issue.keys !== undefined) {
      const what = where === 'query' ? 'there is no such parameter' : 'there is no such field';
      return issue.keys.map((key) => ({ in: where, field: key, message: what }));
    }
    return [{ in: where, field: issue.path.map(String).join('.'), message: issue.message }];
  });
}

const PLACES: Readonly<Record<string, RequestIssue['in']>> = {
  querystring: 'query',
  params: 'params',
  headers: 'headers',
  body: 'body',
};

function fromValidation(error: unknown): SelsynError {
  const { validation, validationContext } = error as {
    validation: readonly { keyword: string; instancePath: string; message?: string; params: { keys?: readonly string[] } }[];
    validationContext?: string;
  };
  const issues = validation.map((issue): ValidationIssue => {
    const path = issue.instancePath.split('/').filter((part) => part !== '');
    const base = { code: issue.keyword, path, message: issue.message ?? 'not valid' };
    return issue.params.keys === undefined ? base : { ...base, keys: issue.params.keys };
  });
  return invalidRequest(issuesOf(PLACES[validationContext ?? ''] ?? 'body', issues), error);
}
