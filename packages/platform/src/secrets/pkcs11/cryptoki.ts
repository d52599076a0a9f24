import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { SelsynError } from '../../kernel/errors.ts';
import { CKR, returnName } from './return-codes.ts';

/** Handles are numbers of the token's own, good for a session. */
export type SlotId = number;
export type SessionHandle = number;
export type ObjectHandle = number;

/** What a token's function has answered other than CKR_OK. Callers narrow it by `rv`. */
export class CryptokiError extends Error {
  override readonly name = 'CryptokiError';
  readonly rv: number;
  constructor(call: string, rv: number) {
    super(`${call} answered ${returnName(rv)}`);
    this.rv = rv;
  }
}

export interface Attribute {
  readonly type: number;
  /** Numbers as CK_ULONG, booleans as CK_BBOOL. */
  readonly value: number | boolean | Uint8Array;
}

export interface GcmParameters {
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly authenticated: Uint8Array;
}

const CKM_AES_GCM = 0x1087;
const GCM_TAG_BITS = 128;

/** Of CK_FUNCTION_LIST, in the order of its pointers (PKCS#11 2.40, pkcs11f.h): the place and the parameters of those used here. */
const FUNCTIONS = {
  C_Initialize: [0, 'void *'],
  C_Finalize: [1, 'void *'],
  C_GetSlotList: [4, 'uint8_t, _Out_ unsigned long *, _Inout_ unsigned long *'],
  C_GetTokenInfo: [6, 'unsigned long, _Out_ uint8_t *'],
  C_OpenSession: [12, 'unsigned long, unsigned long, void *, void *, _Out_ unsigned long *'],
  C_CloseSession: [13, 'unsigned long'],
  C_Login: [18, 'unsigned long, unsigned long, const uint8_t *, unsigned long'],
  C_GetAttributeValue: [24, 'unsigned long, unsigned long, _Inout_ uint8_t *, unsigned long'],
  C_FindObjectsInit: [26, 'unsigned long, const uint8_t *, unsigned long'],
  C_FindObjects: [27, 'unsigned long, _Out_ unsigned long *, unsigned long, _Out_ unsigned long *'],
  C_FindObjectsFinal: [28, 'unsigned long'],
  C_EncryptInit: [29, 'unsigned long, const uint8_t *, unsigned long'],
  C_Encrypt: [30, 'unsigned long, const uint8_t *, unsigned long, _Out_ uint8_t *, _Inout_ unsigned long *'],
  C_DecryptInit: [33, 'unsigned long, const uint8_t *, unsigned long'],
  C_Decrypt: [34, 'unsigned long, const uint8_t *, unsigned long, _Out_ uint8_t *, _Inout_ unsigned long *'],
  C_SignInit: [42, 'unsigned long, const uint8_t *, unsigned long'],
  C_Sign: [43, 'unsigned long, const uint8_t *, unsigned long, _Out_ uint8_t *, _Inout_ unsigned long *'],
  C_GenerateKey: [58, 'unsigned long, const uint8_t *, const uint8_t *, unsigned long, _Out_ unsigned long *'],
  C_GenerateKeyPair: [
    59,
    'unsigned long, const uint8_t *, const uint8_t *, unsigned long, const uint8_t *, unsigned long, _Out_ unsigned long *, _Out_ unsigned long *',
  ],
} as const;

const ULONG_BYTES = 8;
/** CK_ATTRIBUTE: type, pointer, length. */
const ATTRIBUTE_BYTES = 3 * ULONG_BYTES;
const MAX_SLOTS = 256;
const CKF_OS_LOCKING_OK = 2n;
const CKF_RW_SESSION = 2;
const CKF_SERIAL_SESSION = 4;
const CKU_USER = 1;
/** Larger than the label, key or signature of anything used here. */
const MAX_VALUE_BYTES = 4_096;

type Call = (...arguments_: unknown[]) => number;

/**
 * A PKCS#11 module (OASIS PKCS #11 2.40), called in process: its functions block the thread. 64-bit systems other than Windows, whose
 * structures are packed otherwise.
 *
 * A module is initialised for the whole process: threads that use the same one share its login, and `restart` ends the sessions of all.
 * All methods: @throws CryptokiError
 */
export class Cryptoki {
  readonly #call: Readonly<Record<keyof typeof FUNCTIONS, Call>>;
  readonly #koffi: typeof Koffi;
  /** What the last templates point into: it must not be collected while the module reads it. */
  #kept: readonly (readonly Buffer[])[] = [];

  private constructor(koffi: typeof Koffi, call: Readonly<Record<keyof typeof FUNCTIONS, Call>>) {
    this.#koffi = koffi;
    this.#call = call;
  }

  /** @throws SelsynError `signer.unavailable` when it cannot be loaded, CryptokiError */
  static load(module: string): Cryptoki {
    if (process.platform === 'win32') throw new SelsynError('signer.unavailable', 'PKCS#11 tokens are not served on Windows');
    // Loaded only where there is a token.
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const list: [unknown] = [null];
    try {
      const library = koffi.load(module);
      checked('C_GetFunctionList', Number(library.func('unsigned long C_GetFunctionList(_Out_ void **list)')(list)));
    } catch (error) {
      if (error instanceof CryptokiError) throw error;
      throw new SelsynError('signer.unavailable', `the PKCS#11 module ${module} cannot be loaded: ${String(error)}`, {
        cause: error,
      });
    }
    const call = Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, [place, parameters]]) => {
        // A version of two bytes, padded, stands before the pointers.
        const pointer: unknown = koffi.decode(list[0], ULONG_BYTES * (place + 1), 'void *');
        const run = koffi.decode(pointer, koffi.proto(`unsigned long (${parameters})`)) as (...arguments_: unknown[]) => number;
        return [name, run];
      }),
    ) as unknown as Record<keyof typeof FUNCTIONS, Call>;
    const cryptoki = new Cryptoki(koffi, call);
    cryptoki.#initialize();
    return cryptoki;
  }

  /** Slots with a token in them, and its label. */
  tokens(): { readonly slot: SlotId; readonly label: string; readonly serial: string }[] {
    // Without a list the module looks again which tokens there are.
    const count = [0];
    checked('C_GetSlotList', this.#call.C_GetSlotList(1, null, count));
    const slots = new BigUint64Array(MAX_SLOTS);
    count[0] = MAX_SLOTS;
    checked('C_GetSlotList', this.#call.C_GetSlotList(1, slots, count));
    return [...slots.subarray(0, Number(count[0]))].flatMap((slot) => {
      // CK_TOKEN_INFO: label [32], manufacturer [32], model [16], serial number [16], …
      const info = Buffer.alloc(512);
      const rv = this.#call.C_GetTokenInfo(Number(slot), info);
      // One that is out or broken does not hide the others.
      if (rv !== CKR.OK) return [];
      return [{ slot: Number(slot), label: trimmed(info.subarray(0, 32)), serial: trimmed(info.subarray(80, 96)) }];
    });
  }

  openSession(slot: SlotId, write: boolean): SessionHandle {
    const session = [0];
    const flags = CKF_SERIAL_SESSION | (write ? CKF_RW_SESSION : 0);
    checked('C_OpenSession', this.#call.C_OpenSession(slot, flags, null, null, session));
    return Number(session[0]);
  }

  /** Whatever it answers: the session is not used any more. */
  closeSession(session: SessionHandle): void {
    this.#call.C_CloseSession(session);
  }

  /** One login serves all sessions of the process with a token. */
  login(session: SessionHandle, pin: string): void {
    const bytes = Buffer.from(pin, 'utf8');
    const rv = this.#call.C_Login(session, CKU_USER, bytes, bytes.length);
    bytes.fill(0);
    if (rv !== CKR.USER_ALREADY_LOGGED_IN) checked('C_Login', rv);
  }

  /** At most `limit` objects with these attributes. */
  find(session: SessionHandle, attributes: readonly Attribute[], limit: number): ObjectHandle[] {
    const template = this.#template(attributes);
    checked('C_FindObjectsInit', this.#call.C_FindObjectsInit(session, template.bytes, attributes.length));
    try {
      const found = new BigUint64Array(limit);
      const count = [0];
      checked('C_FindObjects', this.#call.C_FindObjects(session, found, limit, count));
      return [...found.subarray(0, Number(count[0]))].map(Number);
    } finally {
      this.#call.C_FindObjectsFinal(session);
    }
  }

  /** The value of one attribute of an object. */
  attribute(session: SessionHandle, object: ObjectHandle, type: number): Buffer {
    const template = this.#template([{ type, value: new Uint8Array(MAX_VALUE_BYTES) }]);
    checked('C_GetAttributeValue', this.#call.C_GetAttributeValue(session, object, template.bytes, 1));
    const sizeBytes = Number(template.bytes.readBigUInt64LE(2 * ULONG_BYTES));
    return Buffer.from(template.values[0]?.subarray(0, sizeBytes) ?? []);
  }

  /** Signs `data` at once by a mechanism without parameters. */
  sign(session: SessionHandle, key: ObjectHandle, mechanism: number, data: Uint8Array): Buffer {
    checked('C_SignInit', this.#call.C_SignInit(session, mechanismBytes(mechanism), key));
    const signature = Buffer.alloc(MAX_VALUE_BYTES);
    const size = [signature.length];
    checked('C_Sign', this.#call.C_Sign(session, data, data.length, signature, size));
    return signature.subarray(0, Number(size[0]));
  }

  /** Encrypts at once by AES-GCM. @returns the ciphertext and the tag */
  encryptGcm(session: SessionHandle, key: ObjectHandle, parameters: GcmParameters, data: Uint8Array): Buffer {
    const mechanism = this.#gcm(parameters);
    checked('C_EncryptInit', this.#call.C_EncryptInit(session, mechanism.bytes, key));
    const encrypted = Buffer.alloc(MAX_VALUE_BYTES);
    const size = [encrypted.length];
    checked('C_Encrypt', this.#call.C_Encrypt(session, data, data.length, encrypted, size));
    return Buffer.from(encrypted.subarray(0, Number(size[0])));
  }

  /** Decrypts what `encryptGcm` gave. */
  decryptGcm(session: SessionHandle, key: ObjectHandle, parameters: GcmParameters, data: Uint8Array): Buffer {
    const mechanism = this.#gcm(parameters);
    checked('C_DecryptInit', this.#call.C_DecryptInit(session, mechanism.bytes, key));
    const decrypted = Buffer.alloc(MAX_VALUE_BYTES);
    const size = [decrypted.length];
    checked('C_Decrypt', this.#call.C_Decrypt(session, data, data.length, decrypted, size));
    const found = Buffer.from(decrypted.subarray(0, Number(size[0])));
    decrypted.fill(0);
    return found;
  }

  /** Makes a secret key in the token. */
  generateKey(session: SessionHandle, mechanism: number, attributes: readonly Attribute[]): void {
    const template = this.#template(attributes);
    const handle = [0];
    const rv = this.#call.C_GenerateKey(session, mechanismBytes(mechanism), template.bytes, attributes.length, handle);
    checked('C_GenerateKey', rv);
  }

  /** Makes a key pair in the token. */
  generateKeyPair(
    session: SessionHandle,
    mechanism: number,
    publicAttributes: readonly Attribute[],
    privateAttributes: readonly Attribute[],
  ): void {
    const [open, secret] = [this.#template(publicAttributes), this.#template(privateAttributes)];
    const handles = { open: [0], secret: [0] };
    const rv = this.#call.C_GenerateKeyPair(
      session,
      mechanismBytes(mechanism),
      open.bytes,
      publicAttributes.length,
      secret.bytes,
      privateAttributes.length,
      handles.open,
      handles.secret,
    );
    checked('C_GenerateKeyPair', rv);
  }

  /**
   * Starts the module anew: some look for tokens and reach their service only then. All sessions of the process with it are gone after it.
   */
  restart(): void {
    this.#call.C_Finalize(null);
    this.#initialize();
  }

  #initialize(): void {
    // CK_C_INITIALIZE_ARGS: four functions that are not given, the flags, a reserved pointer.
    const settings = Buffer.alloc(6 * ULONG_BYTES);
    settings.writeBigUInt64LE(CKF_OS_LOCKING_OK, 4 * ULONG_BYTES);
    const rv = this.#call.C_Initialize(settings);
    if (rv !== CKR.CRYPTOKI_ALREADY_INITIALIZED) checked('C_Initialize', rv);
  }

  /** CK_MECHANISM with CK_GCM_PARAMS (PKCS#11 2.40): iv, its length in bytes and bits, authenticated data and its length, bits of the tag. */
  #gcm({ nonce, authenticated }: GcmParameters): { readonly bytes: Buffer } {
    const values = [valueBytes(nonce), valueBytes(authenticated), Buffer.alloc(6 * ULONG_BYTES)] as const;
    const [iv, aad, parameters] = values;
    const fields = [this.#koffi.address(iv), iv.length, iv.length * 8, this.#koffi.address(aad), aad.length, GCM_TAG_BITS];
    fields.forEach((field, n) => parameters.writeBigUInt64LE(BigInt(field), n * ULONG_BYTES));
    const bytes = mechanismBytes(CKM_AES_GCM);
    bytes.writeBigUInt64LE(this.#koffi.address(parameters), ULONG_BYTES);
    bytes.writeBigUInt64LE(BigInt(parameters.length), 2 * ULONG_BYTES);
    this.#kept = [values, ...this.#kept.slice(0, 1)];
    return { bytes };
  }

  /** An array of CK_ATTRIBUTE, and the values that it points to. Good until two more are made. */
  #template(attributes: readonly Attribute[]): { readonly bytes: Buffer; readonly values: readonly Buffer[] } {
    const bytes = Buffer.alloc(attributes.length * ATTRIBUTE_BYTES);
    const values = attributes.map(({ value }) => valueBytes(value));
    attributes.forEach(({ type }, n) => {
      const value = values[n] ?? Buffer.alloc(0);
      bytes.writeBigUInt64LE(BigInt(type), n * ATTRIBUTE_BYTES);
      bytes.writeBigUInt64LE(this.#koffi.address(value), n * ATTRIBUTE_BYTES + ULONG_BYTES);
      bytes.writeBigUInt64LE(BigInt(value.length), n * ATTRIBUTE_BYTES + 2 * ULONG_BYTES);
    });
    this.#kept = [values, ...this.#kept.slice(0, 1)];
    return { bytes, values };
  }
}

/** Memory of its own, outside of the pool that small buffers share. */
function valueBytes(value: Attribute['value']): Buffer {
  if (typeof value === 'boolean') return Buffer.alloc(1, value ? 1 : 0);
  const bytes = Buffer.alloc(typeof value === 'number' ? ULONG_BYTES : value.length);
  if (typeof value === 'number') bytes.writeBigUInt64LE(BigInt(value));
  else bytes.set(value);
  return bytes;
}

/** CK_MECHANISM: type, no parameter. */
function mechanismBytes(mechanism: number): Buffer {
  const bytes = Buffer.alloc(3 * ULONG_BYTES);
  bytes.writeBigUInt64LE(BigInt(mechanism));
  return bytes;
}

function checked(call: string, rv: number): void {
  if (Number(rv) !== CKR.OK) throw new CryptokiError(call, Number(rv));
}

/** Texts in a token are padded with blanks. */
function trimmed(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/[ \0]+$/, '');
}
