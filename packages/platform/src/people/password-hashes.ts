import { hash, verify, type Algorithm } from '@node-rs/argon2';
import { SelsynError } from '../kernel/errors.ts';

/** The library's enum has no value at run time. */
const ARGON2ID: Algorithm = 2;
/**
 * Argon2id with what OWASP's Password Storage Cheat Sheet asks for at least: 19 MiB, 2 passes, 1 lane; a salt of 16 bytes and a
 * hash of 32 are the library's own choice (RFC 9106).
 */
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes under way at once: 2 x 19 MiB, and two of libuv's four threads stay for files. */
const MAX_RUNNING = 2;
/** Those that wait longer would time out in the browser. */
const MAX_WAITING = 64;

/** What is verified where there is no such user or no password: made once, of a password that nobody knows. */
const NOBODY = 'no password has this hash, since it is verified against another text';

/** Makes and verifies hashes of passwords, a few at a time: a flood of sign-ins takes neither all memory nor all threads. */
export class PasswordHashes {
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #nobody: Promise<string> | undefined;

  /** In the PHC format, parameters and salt included. @throws SelsynError `request.rate-limited` */
  async make(password: string): Promise<string> {
    return await this.#inTurn(async () => await hash(normalized(password), PARAMETERS));
  }

  /**
   * Takes as long when `stored` is undefined: then the answer is false.
   * @throws SelsynError `request.rate-limited`
   */
  async verify(stored: string | undefined, password: string): Promise<boolean> {
    this.#nobody ??= hash(NOBODY, PARAMETERS);
    const against = stored ?? (await this.#nobody);
    const same = await this.#inTurn(async () => await verify(against, normalized(password)));
    return stored !== undefined && same;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new SelsynError('request.rate-limited', 'too many people sign in just now', { retryable: true });
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else this.#running++;
    try {
      return await work();
    } finally {
      // The turn goes over to the next one, or is free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** The same password from every keyboard (SP 800-63B-4, 3.1.1.2: normalize by NFKC before hashing). */
export function normalized(password: string): string {
  return password.normalize('NFKC');
}
