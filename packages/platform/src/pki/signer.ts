import { sign, type KeyObject } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import { ALGORITHM } from './object-ids.ts';
import { readPublicKey } from './public-key.ts';

/** The private key of an authority, wherever it is kept. */
export interface Signer {
  /** SPKI DER. */
  readonly publicKey: Buffer;
  /** The AlgorithmIdentifier of its signatures, DER. */
  readonly algorithm: Buffer;
  /**
   * Signs, and gives the signature as it stands in a certificate (for ECDSA the DER of r and s).
   * @throws SelsynError `signer.unavailable`, retryable, when the key cannot be used now
   */
  sign(tbs: Uint8Array): Uint8Array;
}

/** How keys of a kind sign here: one method for each, so that what a signer makes does not depend on where its key is. */
export function signatureMethodOf(publicKey: Uint8Array): { readonly hash: 'sha256' | 'sha384'; readonly algorithm: Buffer } {
  const { kind } = readPublicKey(publicKey);
  if (kind === 'P-256') return { hash: 'sha256', algorithm: ALGORITHM.ecdsaSha256 };
  if (kind === 'P-384') return { hash: 'sha384', algorithm: ALGORITHM.ecdsaSha384 };
  if (kind.startsWith('RSA')) return { hash: 'sha256', algorithm: ALGORITHM.rsaSha256 };
  throw new SelsynError('data.corrupt', 'the key of an authority is neither P-256, P-384 nor RSA');
}

/** A key in memory, of a file or made for the moment. */
export class KeySigner implements Signer {
  readonly publicKey: Buffer;
  readonly algorithm: Buffer;
  readonly #privateKey: KeyObject;
  readonly #hash: string;

  constructor(keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }) {
    this.#privateKey = keys.privateKey;
    this.publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
    const { hash, algorithm } = signatureMethodOf(this.publicKey);
    this.#hash = hash;
    this.algorithm = algorithm;
  }

  sign(tbs: Uint8Array): Uint8Array {
    return sign(this.#hash, tbs, this.#privateKey);
  }
}
