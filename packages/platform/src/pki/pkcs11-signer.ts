import { createPublicKey, hash } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import type { Attribute, ObjectHandle } from '../secrets/pkcs11/cryptoki.ts';
import type { Token, TokenSession } from '../secrets/pkcs11/token.ts';
import { bitString, sequence, TAG, unsignedInteger } from './der-writer.ts';
import { DerReader } from './der-reader.ts';
import { ALGORITHM, OID } from './object-ids.ts';
import { readPublicKey } from './public-key.ts';
import { type Signer, signatureMethodOf } from './signer.ts';

/** A key in a token, by its label, its id (hex), or both. */
export interface TokenKeyName {
  readonly label?: string | undefined;
  readonly id?: string | undefined;
}

const CKA = {
  CLASS: 0,
  TOKEN: 1,
  PRIVATE: 2,
  LABEL: 3,
  ID: 0x102,
  SENSITIVE: 0x103,
  SIGN: 0x108,
  VERIFY: 0x10a,
  EXTRACTABLE: 0x162,
};
const CKA_VALUES = { MODULUS: 0x120, PUBLIC_EXPONENT: 0x122, EC_PARAMS: 0x180, EC_POINT: 0x181 };
const CKO = { PUBLIC_KEY: 2, PRIVATE_KEY: 3 };
const CKM = { RSA_PKCS: 0x01, EC_KEY_PAIR_GEN: 0x1040, ECDSA: 0x1041 };

/** DigestInfo of SHA-256, but for the digest (RFC 8017, section 9.2, note 1): all tokens know bare RSA_PKCS. */
const SHA256_DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** A key in a PKCS#11 token: it never leaves it. The token may be taken out and put back. */
export class Pkcs11Signer implements Signer {
  readonly publicKey: Buffer;
  readonly algorithm: Buffer;
  readonly #token: Token;
  readonly #name: TokenKeyName;
  readonly #hash: 'sha256' | 'sha384';
  readonly #isRsa: boolean;
  #found: { readonly session: TokenSession; readonly key: ObjectHandle } | undefined;

  /** The public key is known from the authority's certificate: the token need not be there yet. */
  constructor(options: { readonly token: Token; readonly name: TokenKeyName; readonly publicKey: Buffer }) {
    this.#token = options.token;
    this.#name = options.name;
    this.publicKey = options.publicKey;
    const { hash: digest, algorithm } = signatureMethodOf(options.publicKey);
    this.#hash = digest;
    this.algorithm = algorithm;
    this.#isRsa = readPublicKey(options.publicKey).kind.startsWith('RSA');
  }

  sign(tbs: Uint8Array): Uint8Array {
    const digest = hash(this.#hash, tbs, 'buffer');
    const signature = this.#token.use((session) => {
      const key = this.#keyOf(session);
      return this.#isRsa
        ? session.cryptoki.sign(session.handle, key, CKM.RSA_PKCS, Buffer.concat([SHA256_DIGEST_INFO, digest]))
        : session.cryptoki.sign(session.handle, key, CKM.ECDSA, digest);
    });
    return this.#isRsa ? signature : ecdsaSignatureOf(signature);
  }

  #keyOf(session: TokenSession): ObjectHandle {
    if (this.#found?.session === session) return this.#found.key;
    // Another key under the same name would sign what nobody can verify.
    if (!publicKeyIn(session, this.#name).equals(this.publicKey))
      throw new SelsynError('signer.unavailable', `the key ${nameText(this.#name)} in the token is not that of the authority`, {
        retryable: true,
      });
    const key = one(session, CKO.PRIVATE_KEY, this.#name);
    this.#found = { session, key };
    return key;
  }
}

/**
 * The public half of a key in a token, SPKI DER; a new one on P-256, that never leaves the token, where there is none and `make` is set.
 * @throws SelsynError `signer.unavailable`
 */
export function tokenPublicKey(
  token: Token,
  name: TokenKeyName,
  options: { readonly make: boolean },
): { readonly publicKey: Buffer; readonly made: boolean } {
  return token.use((session) => {
    const made = options.make && session.cryptoki.find(session.handle, attributesOf(CKO.PRIVATE_KEY, name), 1).length === 0;
    if (made) generate(session, name);
    one(session, CKO.PRIVATE_KEY, name);
    return { publicKey: publicKeyIn(session, name), made };
  });
}

function generate(session: TokenSession, name: TokenKeyName): void {
  const called: Attribute[] = [
    { type: CKA.TOKEN, value: true },
    ...(name.label === undefined ? [] : [{ type: CKA.LABEL, value: Buffer.from(name.label, 'utf8') }]),
    ...(name.id === undefined ? [] : [{ type: CKA.ID, value: Buffer.from(name.id, 'hex') }]),
  ];
  session.cryptoki.generateKeyPair(
    session.handle,
    CKM.EC_KEY_PAIR_GEN,
    [...called, { type: CKA_VALUES.EC_PARAMS, value: OID.p256 }, { type: CKA.VERIFY, value: true }],
    [
      ...called,
      { type: CKA.PRIVATE, value: true },
      { type: CKA.SENSITIVE, value: true },
      { type: CKA.EXTRACTABLE, value: false },
      { type: CKA.SIGN, value: true },
    ],
  );
}

function publicKeyIn(session: TokenSession, name: TokenKeyName): Buffer {
  const { cryptoki, handle } = session;
  const key = one(session, CKO.PUBLIC_KEY, name);
  const kind = cryptoki.attribute(handle, key, CKA_KEY_TYPE).readUInt32LE(0);
  if (kind === CKK.RSA) {
    const modulus = cryptoki.attribute(handle, key, CKA_VALUES.MODULUS);
    const exponent = cryptoki.attribute(handle, key, CKA_VALUES.PUBLIC_EXPONENT);
    return sequence(ALGORITHM.rsaEncryption, bitString(sequence(unsignedInteger(modulus), unsignedInteger(exponent))));
  }
  const curve = cryptoki.attribute(handle, key, CKA_VALUES.EC_PARAMS);
  const point = new DerReader(cryptoki.attribute(handle, key, CKA_VALUES.EC_POINT)).next(TAG.octetString).content;
  const spki = sequence(sequence(OID.ecPublicKey, curve), bitString(point));
  createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return spki;
}

const CKA_KEY_TYPE = 0x100;
const CKK = { RSA: 0 };

/** The one object of a class with this name. */
function one(session: TokenSession, kind: number, name: TokenKeyName): ObjectHandle {
  const [found, second] = session.cryptoki.find(session.handle, attributesOf(kind, name), 2);
  if (found !== undefined && second === undefined) return found;
  const what = kind === CKO.PUBLIC_KEY ? 'public' : 'private';
  throw new SelsynError(
    'signer.unavailable',
    `the token has ${found === undefined ? 'no' : 'more than one'} ${what} key with ${nameText(name)}`,
    { retryable: true },
  );
}

function attributesOf(kind: number, { label, id }: TokenKeyName): Attribute[] {
  return [
    { type: CKA.CLASS, value: kind },
    ...(label === undefined ? [] : [{ type: CKA.LABEL, value: Buffer.from(label, 'utf8') }]),
    ...(id === undefined ? [] : [{ type: CKA.ID, value: Buffer.from(id, 'hex') }]),
  ];
}

function nameText({ label, id }: TokenKeyName): string {
  return [...(label === undefined ? [] : [`the label "${label}"`]), ...(id === undefined ? [] : [`the id ${id}`])].join(' and ');
}

/** A token gives r and s, one after the other; a certificate wants `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279, section 2.2.3). */
export function ecdsaSignatureOf(raw: Uint8Array): Buffer {
  const half = raw.length / 2;
  return sequence(unsignedInteger(raw.subarray(0, half)), unsignedInteger(raw.subarray(half)));
}
