import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { RandomBytes } from '../kernel/secret.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_LENGTH = 16 * 1024;

/**
 * Text that somebody carries for the server without being able to read or change it: nonce, ciphertext and tag of AES-256-GCM
 * as base64url. A text sealed for one purpose does not open for another.
 */
export class SealedText {
  readonly #key: Uint8Array;
  readonly #random: RandomBytes;

  constructor(options: { readonly secret: string; readonly purpose: string; readonly random: RandomBytes }) {
    this.#key = new Uint8Array(hkdfSync('sha256', options.secret, '', options.purpose, 32));
    this.#random = options.random;
  }

  seal(text: string): string {
    const nonce = this.#random(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** @returns undefined for what this server did not seal. */
  open(sealed: string): string | undefined {
    if (sealed.length > MAX_LENGTH) return undefined;
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch {
      // The tag does not fit: not ours, or changed on the way.
      return undefined;
    }
  }
}
