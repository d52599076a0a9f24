import type { FastifyReply } from 'fastify';
import { ERRORS, type SelsynError } from '../../../kernel/errors.ts';

/** In which words InfluxDB answers: those of 1.x (`{"error"}`) or those of 2.x (`{"code","message"}`). */
export type Dialect = 'v1' | 'v2';

/** Codes of InfluxDB 2, by status. */
const CODES: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  413: 'request too large',
  415: 'invalid',
  422: 'unprocessable entity',
  429: 'too many requests',
  500: 'internal error',
  503: 'unavailable',
  507: 'unavailable',
};

/** An answer that says what is wrong. @param facts further fields, for 2.x */
export function sendFault(
  reply: FastifyReply,
  dialect: Dialect,
  status: number,
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const body = dialect === 'v1' ? { error: message } : { code: CODES[status] ?? 'internal error', message, ...facts };
  // Header values are Latin-1 without controls, and this is read by people.
  const headline = message.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 200);
  return reply
    .code(status)
    .header(
      dialect === 'v1' ? 'X-Influxdb-Error' : 'X-Platform-Error-Code',
      dialect === 'v1' ? headline : (CODES[status] ?? 'internal error'),
    )
    .header('Content-Type', 'application/json; charset=utf-8')
    .send(JSON.stringify(body));
}

/** What the platform threw, in InfluxDB's words. */
export function sendError(reply: FastifyReply, dialect: Dialect, error: SelsynError): FastifyReply {
  const { status } = ERRORS[error.code];
  if (status === 401 && dialect === 'v1') reply.header('WWW-Authenticate', 'Basic realm="InfluxDB"');
  if (error.retryable) reply.header('Retry-After', '1');
  const message = error.code === 'internal' ? 'the request could not be served; the log of the server tells why' : error.message;
  return sendFault(reply, dialect, status, message);
}
