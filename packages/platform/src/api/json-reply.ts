import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Sends JSON that is text already: points are written straight from their columns. */
export function sendJson(reply: FastifyReply, body: string | Buffer | Readable): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(body);
}
