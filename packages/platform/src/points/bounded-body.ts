import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SelsynError } from '../kernel/errors.ts';

export interface BodyLimits {
  /** Of one body, unpacked. */
  readonly maxBytes: number;
  /** Of all that are being received or taken, unpacked. */
  readonly maxTotalBytes: number;
}

/** A body, and the promise that its memory is given back. */
export interface HeldBody extends Disposable {
  readonly data: Buffer;
}

/** Receives bodies, packed with gzip or not, in bounded memory: what does not fit is refused, and not read on. */
export class BoundedBodies {
  readonly #limits: BodyLimits;
  #bytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /**
   * @param encoding of `Content-Encoding`
   * @throws SelsynError `request.too-large`, `telemetry.busy`, `request.unsupported-media-type` for another encoding than gzip,
   * `request.invalid` for what is not gzip, or broken off
   */
  async read(body: Readable, encoding: string | undefined): Promise<HeldBody> {
    const { maxBytes } = this.#limits;
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of this.#unpacked(body, encoding)) {
        bytes += chunk.length;
        this.#bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
        if (this.#bytes > this.#limits.maxTotalBytes && this.#bytes > bytes) throw busy();
        chunks.push(chunk);
      }
    } catch (error) {
      this.#bytes -= bytes;
      throw error instanceof SelsynError ? error : unreadable(error);
    }
    const data = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
    return { data, ...this.#place(bytes) };
  }

  /**
   * Room for what a body is unpacked to by whoever takes it, until it is disposed of.
   *
   * @throws SelsynError `request.too-large`, `telemetry.busy`
   */
  reserve(bytes: number): Disposable {
    const { maxBytes, maxTotalBytes } = this.#limits;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    if (this.#bytes + bytes > maxTotalBytes) throw busy();
    this.#bytes += bytes;
    return this.#place(bytes);
  }

  #place(bytes: number): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#bytes -= bytes;
        held = false;
      },
    };
  }

  #unpacked(body: Readable, encoding = 'identity'): AsyncIterable<Buffer> {
    const name = encoding.trim().toLowerCase();
    if (name === 'identity' || name === '') return body;
    if (name !== 'gzip' && name !== 'x-gzip') {
      throw new SelsynError('request.unsupported-media-type', 'a body may be packed with gzip, and with nothing else', {
        details: { encoding: encoding.slice(0, 64) },
      });
    }
    const gunzip = createGunzip();
    body.on('error', (error) => gunzip.destroy(error));
    return body.pipe(gunzip);
  }
}

function tooLarge(maxBytes: number): SelsynError {
  return new SelsynError('request.too-large', `a body has at most ${maxBytes} bytes, unpacked`, { details: { maxBytes } });
}

function busy(): SelsynError {
  return new SelsynError('telemetry.busy', 'too many bodies are being received at once', { retryable: true });
}

function unreadable(cause: unknown): SelsynError {
  return new SelsynError('request.invalid', 'the body was broken off, or is not what its Content-Encoding says', { cause });
}
