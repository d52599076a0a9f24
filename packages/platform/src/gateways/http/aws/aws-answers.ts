import { randomUUID } from 'node:crypto';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, isSelsynError } from '../../../kernel/errors.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import { AwsError, nameOfStatus } from './aws-error.ts';

const JSON_TYPE = 'application/json';

/** Every answer has an id, by which it is found in a log of the client; errors have their name in a header, where SDKs look for it. */
export function answerAsAws(app: FastifyInstance, logLines: Pick<LogLines, 'error'>): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-amzn-RequestId', randomUUID()).header('Cache-Control', 'no-store');
  });
  app.setErrorHandler(async (error, request, reply) => {
    const answer = awsErrorOf(error);
    if (answer.status >= 500 && !(error instanceof AwsError))
      logLines.error({ err: error, method: request.method, path: pathOf(request) }, 'a request of the AWS interface failed');
    return await sendError(reply, answer);
  });
}

/** Bytes of JSON as they are: no charset is added to the type, as AWS adds none. */
export async function sendJson(reply: FastifyReply, body: string | object): Promise<FastifyReply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return await reply.header('Content-Type', JSON_TYPE).send(Buffer.from(text, 'utf8'));
}

/** An error whose body is made already, as that of a shadow. */
export async function sendErrorBody(reply: FastifyReply, name: string, status: number, body: string): Promise<FastifyReply> {
  return await sendJson(reply.code(status).header('x-amzn-errortype', name), body);
}

async function sendError(reply: FastifyReply, { name, status, message, fields }: AwsError): Promise<FastifyReply> {
  const traceId = reply.getHeader('x-amzn-RequestId');
  return await sendErrorBody(reply, name, status, JSON.stringify({ message, traceId, ...fields }));
}

/** Whatever was thrown, as AWS would name it. What went wrong inside is for the log. */
export function awsErrorOf(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  if (isSelsynError(error)) {
    const { status } = ERRORS[error.code];
    if (status >= 500 && status !== 503) return failed();
    return new AwsError(status === 401 ? 'ForbiddenException' : nameOfStatus(nearest(status)), error.message);
  }
  const status = error instanceof Error ? (error as FastifyError).statusCode : undefined;
  if (status === undefined || status < 400 || status >= 500) return failed();
  return new AwsError(nameOfStatus(nearest(status)), (error as Error).message);
}

/** 410, 422 and others are not among those of AWS. */
function nearest(status: number): number {
  return [403, 404, 405, 409, 413, 429, 503].includes(status) ? status : 400;
}

function failed(): AwsError {
  return new AwsError('InternalFailureException', 'Internal service failure');
}

function pathOf({ url }: FastifyRequest): string {
  return url.slice(0, 200);
}
