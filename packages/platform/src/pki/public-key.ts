import { createPublicKey, hash } from 'node:crypto';
import { DerError, readWhole } from './der-reader.ts';
import { TAG } from './der-writer.ts';
import { ALGORITHM } from './object-ids.ts';
import type { KeyKind } from './signing.ts';

/** A public key as it stands in a certificate. */
export interface PublicKeyFacts {
  readonly kind: KeyKind;
  /** What is wrong with it as the key of a device, for people; undefined for a good one. */
  readonly weakness: string | undefined;
  /** The BIT STRING's content. */
  readonly bits: Buffer;
}

const MIN_RSA_BITS = 2_048;
/** Checking a signature takes time with the square of it. */
const MAX_RSA_BITS = 4_096;
/** F4, as FIPS 186-5 demands at least; a huge one makes each check slow. */
const MIN_RSA_EXPONENT = 65_537;
const MAX_RSA_EXPONENT_BYTES = 4;

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280, section 4.1). Only its form is checked; that a point is on its curve is seen when it is used.
 * @throws DerError
 */
export function readPublicKey(spki: Uint8Array): PublicKeyFacts {
  const reader = readWhole(spki);
  const algorithm = reader.next(TAG.sequence).whole;
  const bits = reader.bits();
  reader.end();
  if (algorithm.equals(ALGORITHM.ecP256)) return readPoint('P-256', bits, 65);
  if (algorithm.equals(ALGORITHM.ecP384)) return readPoint('P-384', bits, 97);
  if (algorithm.equals(ALGORITHM.rsaEncryption)) return readRsa(bits);
  return { kind: 'other', bits, weakness: 'the key is neither P-256, P-384 nor RSA' };
}

/** SEC 1, section 2.3.3: only uncompressed points, so that a key has one form and one hash. */
function readPoint(kind: KeyKind, bits: Buffer, sizeBytes: number): PublicKeyFacts {
  if (bits.length !== sizeBytes || bits[0] !== 0x04) throw new DerError('a point that is not in the uncompressed form');
  return { kind, bits, weakness: undefined };
}

function readRsa(bits: Buffer): PublicKeyFacts {
  const key = readWhole(bits);
  const modulus = key.unsigned();
  const exponent = key.unsigned();
  key.end();
  const sizeBits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  return { kind: `RSA-${sizeBits}`, bits, weakness: rsaWeakness(modulus, exponent, sizeBits) };
}

function rsaWeakness(modulus: Buffer, exponent: Buffer, sizeBits: number): string | undefined {
  if (sizeBits < MIN_RSA_BITS || sizeBits > MAX_RSA_BITS)
    return `the RSA key has ${sizeBits} bits: ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are taken`;
  if (exponent.length > MAX_RSA_EXPONENT_BYTES) return 'the exponent of the RSA key is too large';
  const value = exponent.readUIntBE(0, exponent.length);
  if (value < MIN_RSA_EXPONENT || value % 2 === 0) return 'the exponent of the RSA key is even, or below 65537';
  if ((modulus.at(-1) ?? 0) % 2 === 0) return 'the modulus of the RSA key is even';
  return undefined;
}

/** SHA-256 of the SPKI, base64url: by which a manifest names a key. */
export function keyHashOf(spki: Uint8Array): string {
  return hash('sha256', spki, 'base64url');
}

/** SHA-1 of the key's bits (RFC 5280, section 4.2.1.2, method 1): a name, not a proof. */
export function keyIdOf(bits: Uint8Array): Buffer {
  return hash('sha1', bits, 'buffer');
}

/** Whether OpenSSL takes it: a point on its curve, a modulus with an exponent. */
export function isUsablePublicKey(spki: Uint8Array): boolean {
  try {
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return true;
  } catch {
    return false;
  }
}
