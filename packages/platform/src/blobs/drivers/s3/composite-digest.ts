import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const MIB = 1024 * 1024;
/** S3 takes 10,000 parts at most. */
const MAX_PARTS = 9_000;

/** Of an upload of so many bytes; a file that is not larger is sent in one request. */
export function partBytesOf(sizeBytes: number): number {
  return Math.max(8 * MIB, Math.ceil(sizeBytes / MAX_PARTS / MIB) * MIB);
}

/**
 * What S3 says as `x-amz-checksum-sha256` of a file: the digest of its bytes (base64), or where it is sent in parts the
 * digest of the digests of its parts, and their number ("composite checksum").
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
export async function s3Sha256(file: string, signal?: AbortSignal): Promise<string> {
  const partBytes = partBytesOf((await stat(file)).size);
  const parts: Buffer[] = [];
  let part = createHash('sha256');
  let filled = 0;
  const stream = createReadStream(file, { highWaterMark: MIB, ...(signal === undefined ? {} : { signal }) });
  for await (const piece of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < piece.length;) {
      if (filled === partBytes) {
        parts.push(part.digest());
        part = createHash('sha256');
        filled = 0;
      }
      const taken = piece.subarray(at, at + partBytes - filled);
      part.update(taken);
      filled += taken.length;
      at += taken.length;
    }
  }
  const last = part.digest();
  if (parts.length === 0) return last.toString('base64');
  const whole = createHash('sha256');
  for (const digest of parts) whole.update(digest);
  return `${whole.update(last).digest('base64')}-${parts.length + 1}`;
}
