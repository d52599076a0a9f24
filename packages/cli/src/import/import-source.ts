import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CliError } from '../cli-error.ts';

/** What the content is known by, so that an import of it that was broken off is found again. */
export interface FileFacts {
  readonly sizeBytes: number;
  /** SHA-256 in hex. */
  readonly fingerprint: string;
}

/** Reads the whole file once. @throws CliError when it cannot be read */
export async function factsOf(path: string): Promise<FileFacts> {
  try {
    const { size } = await stat(path);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return { sizeBytes: size, fingerprint: hash.digest('hex') };
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Content that is read forwards, once, and held only from the place on that the server has come to. */
export class ImportSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** Where the held bytes begin. */
  #start: number;
  #held: Uint8Array<ArrayBuffer> = new Uint8Array();
  #isEnd = false;

  /** @param startsAt the place in the content of the first byte of the stream */
  constructor(stream: AsyncIterable<Uint8Array>, startsAt = 0) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#start = startsAt;
  }

  /**
   * The bytes from a place on, at most so many; `isLast`: there are no more.
   *
   * @param position never before that of an earlier call.
   * @throws CliError when the content ends before it.
   */
  async part(position: number, size: number): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isLast: boolean }> {
    if (position < this.#start) throw new CliError('the server asks for what was read already');
    this.#drop(position);
    while (!this.#isEnd && (this.#start < position || this.#held.length <= size)) {
      const { value, done } = await this.#chunks.next();
      if (done === true) this.#isEnd = true;
      else this.#hold(value);
      this.#drop(position);
    }
    if (this.#start < position)
      throw new CliError('this content is shorter than what the server has taken already: it is another one');
    const bytes = this.#held.subarray(0, size);
    return { bytes, isLast: this.#isEnd && bytes.length === this.#held.length };
  }

  #hold(chunk: Uint8Array): void {
    const both = new Uint8Array(this.#held.length + chunk.length);
    both.set(this.#held);
    both.set(chunk, this.#held.length);
    this.#held = both;
  }

  #drop(position: number): void {
    const passed = Math.min(position - this.#start, this.#held.length);
    this.#held = this.#held.subarray(passed);
    this.#start += passed;
  }
}
