import { SelsynError } from '../../kernel/errors.ts';
import { Cryptoki, CryptokiError, type SessionHandle } from './cryptoki.ts';
import { CKR } from './return-codes.ts';

/** A session that is logged in. A new object each time one is opened: the module may give the same handle again. */
export interface TokenSession {
  readonly cryptoki: Cryptoki;
  readonly handle: SessionHandle;
}

export interface TokenOptions {
  /** Path of the PKCS#11 module, as /usr/lib/softhsm/libsofthsm2.so. */
  readonly module: string;
  /** Label of the token; slots get other numbers when a machine starts again. */
  readonly token: string;
  /** Asked for at each login: the file may have been corrected meanwhile. */
  readonly pin: () => string;
}

/**
 * A token, logged in to when it is first needed and again when it was gone: taken out and put back, or its service started again.
 *
 * A PIN that the token has refused is not tried again until it is another one: a few tries lock a token for good.
 */
export class Token {
  readonly #options: TokenOptions;
  #cryptoki: Cryptoki | undefined;
  #session: TokenSession | undefined;
  #refusedPin: string | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in a logged-in session; once more in a new one, of the module started anew, when the token turns out to be gone.
   * Handles that `work` found in an earlier session are not good in another one.
   * @throws SelsynError `signer.unavailable`, retryable
   */
  use<T>(work: (session: TokenSession) => T): T {
    try {
      try {
        return this.#run(work);
      } catch (error) {
        if (!isGone(error)) throw error;
        this.#forget();
        this.#cryptoki?.restart();
        return this.#run(work);
      }
    } catch (error) {
      this.#forget();
      throw this.#told(error);
    }
  }

  close(): void {
    this.#forget();
  }

  #run<T>(work: (session: TokenSession) => T): T {
    this.#cryptoki ??= Cryptoki.load(this.#options.module);
    this.#session ??= this.#open(this.#cryptoki);
    return work(this.#session);
  }

  #open(cryptoki: Cryptoki): TokenSession {
    const { token, module } = this.#options;
    const present = cryptoki.tokens().filter(({ label }) => label === token);
    const [found] = present;
    if (found === undefined)
      throw new TokenMissing('signer.unavailable', `no token "${token}" is in a slot of ${module}`, { retryable: true });
    if (present.length > 1)
      throw new SelsynError('signer.unavailable', `more than one token "${token}" is in the slots of ${module}`, {
        retryable: true,
      });
    const pin = this.#options.pin();
    if (pin === this.#refusedPin)
      throw new SelsynError(
        'signer.unavailable',
        `the token "${token}" has refused the PIN; it is not tried again until it is changed`,
        {
          retryable: true,
        },
      );
    const handle = cryptoki.openSession(found.slot, true);
    try {
      cryptoki.login(handle, pin);
    } catch (error) {
      cryptoki.closeSession(handle);
      if (error instanceof CryptokiError && PIN_REFUSED.has(error.rv)) this.#refusedPin = pin;
      throw error;
    }
    this.#refusedPin = undefined;
    return { cryptoki, handle };
  }

  #forget(): void {
    this.#session?.cryptoki.closeSession(this.#session.handle);
    this.#session = undefined;
  }

  #told(error: unknown): unknown {
    if (!(error instanceof CryptokiError)) return error;
    const { token } = this.#options;
    const why = WHY.get(error.rv) ?? 'cannot be used';
    return new SelsynError('signer.unavailable', `the token "${token}" ${why} (${error.message})`, {
      cause: error,
      retryable: true,
    });
  }
}

class TokenMissing extends SelsynError {}

function isGone(error: unknown): boolean {
  return error instanceof TokenMissing || (error instanceof CryptokiError && GONE.has(error.rv));
}

/** After these a new session may work, in a module that was started anew. */
const GONE = new Set<number>([
  CKR.SLOT_ID_INVALID,
  CKR.GENERAL_ERROR,
  CKR.FUNCTION_FAILED,
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.KEY_HANDLE_INVALID,
  CKR.OBJECT_HANDLE_INVALID,
  CKR.OPERATION_ACTIVE,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.TOKEN_NOT_PRESENT,
  CKR.USER_NOT_LOGGED_IN,
  CKR.CRYPTOKI_NOT_INITIALIZED,
]);

const PIN_REFUSED = new Set<number>([CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE, CKR.PIN_LOCKED, CKR.PIN_EXPIRED]);

const WHY = new Map<number, string>([
  [CKR.PIN_INCORRECT, 'refuses the PIN'],
  [CKR.PIN_INVALID, 'refuses the PIN'],
  [CKR.PIN_LEN_RANGE, 'refuses the PIN: it is too short or too long'],
  [CKR.PIN_LOCKED, 'has locked its PIN after too many wrong ones: its security officer must set a new one'],
  [CKR.PIN_EXPIRED, 'wants a new PIN'],
  [CKR.USER_PIN_NOT_INITIALIZED, 'has no user PIN yet'],
  [CKR.TOKEN_NOT_PRESENT, 'is not in its slot'],
  [CKR.DEVICE_REMOVED, 'has been taken out'],
  [CKR.MECHANISM_INVALID, 'does not know the method of signing'],
  [CKR.KEY_FUNCTION_NOT_PERMITTED, 'does not let this key sign'],
]);
