import { createHash } from 'node:crypto';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import type { MasterKey } from '../master-key.ts';
import { CryptokiError, type Attribute, type ObjectHandle } from '../pkcs11/cryptoki.ts';
import type { Token, TokenSession } from '../pkcs11/token.ts';

const CKA = {
  CLASS: 0,
  TOKEN: 1,
  PRIVATE: 2,
  LABEL: 3,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  VALUE_LEN: 0x161,
  EXTRACTABLE: 0x162,
};
const CKO_SECRET_KEY = 4;
const CKK_AES = 0x1f;
const CKM_AES_KEY_GEN = 0x1080;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ID_BYTES = 8;
const CKR_ENCRYPTED_DATA_INVALID = 0x40;
const CKR_ENCRYPTED_DATA_LEN_RANGE = 0x41;
/** SoftHSM answers with this to a tag that does not fit. */
const CKR_GENERAL_ERROR = 0x05;

/**
 * An AES-256 key in a PKCS#11 token, which encrypts there (CKM_AES_GCM) and never leaves it.
 *
 * Wrapped: base64url( nonce (12) | ciphertext | tag (16) ), with the name of the data key authenticated.
 */
export class Pkcs11MasterKey implements MasterKey {
  readonly id: string;
  readonly #token: Token;
  readonly #label: string;
  readonly #random: RandomBytes;

  private constructor(options: {
    readonly token: Token;
    readonly label: string;
    readonly random: RandomBytes;
    readonly id: string;
  }) {
    this.#token = options.token;
    this.#label = options.label;
    this.#random = options.random;
    this.id = options.id;
  }

  /**
   * Finds the key by its label.
   *
   * @param make makes it there where it is not.
   * @throws SelsynError `secrets.master-key-missing`, `secrets.unavailable`
   */
  static async open(options: {
    readonly token: Token;
    readonly label: string;
    readonly random: RandomBytes;
    readonly make: boolean;
  }): Promise<Pkcs11MasterKey> {
    const { token, label, random, make } = options;
    const id = reached(() =>
      token.use((session) => {
        const found = session.cryptoki.find(session.handle, named(label), 2);
        if (found.length > 1) throw new SelsynError('secrets.wrong-master-key', `more than one key "${label}" is in the token`);
        if (found[0] !== undefined) return session.cryptoki.attribute(session.handle, found[0], CKA.ID);
        if (!make) throw new SelsynError('secrets.master-key-missing', `no key "${label}" is in the token`);
        const made = Buffer.from(random(ID_BYTES));
        session.cryptoki.generateKey(session.handle, CKM_AES_KEY_GEN, [
          ...named(label),
          { type: CKA.ID, value: made },
          { type: CKA.TOKEN, value: true },
          { type: CKA.PRIVATE, value: true },
          { type: CKA.SENSITIVE, value: true },
          { type: CKA.EXTRACTABLE, value: false },
          { type: CKA.ENCRYPT, value: true },
          { type: CKA.DECRYPT, value: true },
          { type: CKA.VALUE_LEN, value: KEY_BYTES },
        ]);
        return made;
      }),
    );
    // A key that another program made may have an id of any length, or none.
    const short = createHash('sha256').update(id).digest('hex').slice(0, 16);
    return new Pkcs11MasterKey({ token, label, random, id: `pkcs11:${label}:${short}` });
  }

  async wrap(dataKey: Uint8Array, name: string): Promise<string> {
    const nonce = this.#random(NONCE_BYTES);
    const encrypted = reached(() =>
      this.#token.use((session) =>
        session.cryptoki.encryptGcm(session.handle, this.#key(session), { nonce, authenticated: Buffer.from(name) }, dataKey),
      ),
    );
    return Buffer.concat([nonce, encrypted]).toString('base64url');
  }

  async unwrap(wrapped: string, name: string): Promise<Uint8Array> {
    const bytes = Buffer.from(wrapped, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw this.#doesNotFit(name);
    const parameters = { nonce: bytes.subarray(0, NONCE_BYTES), authenticated: Buffer.from(name) };
    const opened = reached(() =>
      this.#token.use((session) => {
        const key = this.#key(session);
        try {
          return session.cryptoki.decryptGcm(session.handle, key, parameters, bytes.subarray(NONCE_BYTES));
        } catch (error) {
          if (error instanceof CryptokiError && DOES_NOT_FIT.has(error.rv)) return error;
          throw error;
        }
      }),
    );
    if (opened instanceof CryptokiError) {
      throw this.#doesNotFit(name, opened);
    }
    return opened;
  }

  #doesNotFit(name: string, cause?: unknown): SelsynError {
    return new SelsynError(
      'secrets.wrong-master-key',
      `the key "${this.#label}" in the token does not open the data key ${name}`,
      { cause },
    );
  }

  #key({ cryptoki, handle }: TokenSession): ObjectHandle {
    const [key] = cryptoki.find(handle, named(this.#label), 1);
    if (key === undefined) throw new SelsynError('secrets.master-key-missing', `no key "${this.#label}" is in the token`);
    return key;
  }
}

const DOES_NOT_FIT: ReadonlySet<number> = new Set([CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_GENERAL_ERROR]);

function named(label: string): readonly Attribute[] {
  return [
    { type: CKA.CLASS, value: CKO_SECRET_KEY },
    { type: CKA.KEY_TYPE, value: CKK_AES },
    { type: CKA.LABEL, value: Buffer.from(label) },
  ];
}

/** The token speaks of signing, which is what it is used for elsewhere. */
function reached<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isSelsynError(error, 'signer.unavailable')) throw error;
    throw new SelsynError('secrets.unavailable', error.message, { cause: error, retryable: true });
  }
}
