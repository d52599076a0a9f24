import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** SHA-256 of what a stream gives, as hex. */
export async function sha256Of(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of stream as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest('hex');
}

/** SHA-256 of a file, as hex, read in pieces of 1 MiB. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  return await sha256Of(createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal === undefined ? {} : { signal }) }));
}
