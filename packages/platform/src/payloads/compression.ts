import { constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { systemCode } from '../kernel/errors.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from './payload-decoder.ts';

/** `auto`: told from the first bytes, and none where they are of none. */
export type Compression = 'none' | 'auto' | 'gzip' | 'zlib' | 'zstd';

export const COMPRESSIONS: readonly Compression[] = ['none', 'auto', 'gzip', 'zlib', 'zstd'];

/** What a message may be unpacked to. */
export const MAX_PLAIN_BYTES = 1024 * 1024;
/** And beside: so many times its own size. Telemetry shrinks by 5 to 30; work must not cost its sender next to nothing. */
const MAX_RATIO = 100;
const FREE_BYTES = 16 * 1024;
/** 8 MiB: what a frame may want to be kept in memory. Encoders use more only when they are told to. */
const ZSTD = { [constants.ZSTD_d_windowLogMax]: 23 };

/** Reads what is compressed by what reads it plain. */
export class UnpackingDecoder implements PayloadDecoder {
  readonly #compression: Compression;
  readonly #inner: PayloadDecoder;

  constructor(compression: Compression, inner: PayloadDecoder) {
    this.#compression = compression;
    this.#inner = inner;
  }

  decode(message: PayloadMessage, visitor: PayloadVisitor): void {
    const { data, start, end } = message;
    const found = this.#compression === 'auto' ? compressionOf(data, start, end) : this.#compression;
    if (found === 'none') {
      this.#inner.decode(message, visitor);
      return;
    }
    const plain = unpack(found, data.subarray(start, end));
    this.#inner.decode({ ...message, data: plain, start: 0, end: plain.length }, visitor);
  }

  taken(message: PayloadMessage): void {
    this.#inner.taken?.(message);
  }
}

/** RFC 1952, section 2.3.1; RFC 8878, section 3.1.1; RFC 1950, section 2.2. No JSON, and no CBOR of an array or a map, begins so. */
function compressionOf(data: Uint8Array, start: number, end: number): Exclude<Compression, 'auto'> {
  if (end - start < 4) return 'none';
  const [a, b, c, d] = data.subarray(start, start + 4) as unknown as [number, number, number, number];
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  return (a & 0x8f) === 0x08 && (a * 256 + b) % 31 === 0 && (b & 0x20) === 0 ? 'zlib' : 'none';
}

/** @throws PayloadError */
export function unpack(compression: 'gzip' | 'zlib' | 'zstd', packed: Uint8Array): Uint8Array {
  const maxOutputLength = Math.min(MAX_PLAIN_BYTES, FREE_BYTES + packed.length * MAX_RATIO);
  try {
    if (compression === 'zstd') return zstdDecompressSync(packed, { maxOutputLength, params: ZSTD });
    return compression === 'gzip' ? gunzipSync(packed, { maxOutputLength }) : inflateSync(packed, { maxOutputLength });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') {
      const limit = maxOutputLength === MAX_PLAIN_BYTES ? `${MAX_PLAIN_BYTES} bytes` : `${MAX_RATIO} times its size`;
      throw new PayloadError('too-large', `The message is larger than ${limit} when it is unpacked.`);
    }
    throw new PayloadError(
      'malformed',
      `The message is no ${compression}: ${error instanceof Error ? error.message : 'unreadable'}.`,
    );
  }
}
