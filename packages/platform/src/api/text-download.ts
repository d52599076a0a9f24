import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { ImportFormat } from '../registry/import/device-import.ts';

export const CSV_TYPE = 'text/csv';
export const JSON_LINES_TYPE = 'application/x-ndjson';

/** Texts of at least this many characters leave as one chunk. */
const CHUNK = 32 * 1024;

/**
 * Answers with texts one after the other, made only as fast as the client reads. An error on the way breaks the connection
 * off, so that nobody takes a part for the whole.
 */
export function sendTexts(reply: FastifyReply, format: ImportFormat, name: string, texts: AsyncIterable<string>): FastifyReply {
  const type = format === 'csv' ? CSV_TYPE : JSON_LINES_TYPE;
  return reply
    .header('Content-Type', `${type}; charset=utf-8`)
    .header('Content-Disposition', `attachment; filename="${name}.${format}"`)
    .send(Readable.from(gathered(texts), { objectMode: false, highWaterMark: CHUNK }));
}

async function* gathered(texts: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let waiting = '';
  for await (const text of texts) {
    waiting += text;
    if (waiting.length < CHUNK) continue;
    yield Buffer.from(waiting);
    waiting = '';
  }
  if (waiting !== '') yield Buffer.from(waiting);
}

/** Answers with the bytes of a file. */
export function sendFile(reply: FastifyReply, type: string, name: string, bytes: Readable): FastifyReply {
  return reply.header('Content-Type', type).header('Content-Disposition', `attachment; filename="${name}"`).send(bytes);
}
