import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';

/*
 * A sealed value:
 *
 *   "v1." data-key-id "." base64url( nonce (12) | AES-256-GCM ciphertext | tag (16) )
 *
 * Authenticated with it (NIST SP 800-38D, additional authenticated data): the version, the id of the data key, and where the value stands. So it
 * opens in its own place only: one that was copied to another device, or under another name, is as one that was changed.
 */

/** Where a sealed value stands. */
export interface SealContext {
  /** Kind of the place: `device-secret`, `server-secret`, `master-key`. */
  readonly purpose: string;
  /** Whose it is: the id of a device. */
  readonly owner: string;
  readonly name: string;
}

export interface SealingKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;

export function sealValue(value: Uint8Array, key: SealingKey, context: SealContext, random: RandomBytes): string {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce);
  cipher.setAAD(authenticated(key.id, context));
  const sealed = Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${key.id}.${sealed.toString('base64url')}`;
}

/** The id of the data key that a value was sealed with; undefined: it is no sealed value. */
export function keyIdOf(sealed: string): string | undefined {
  return FORM.exec(sealed)?.[1];
}

/** @throws SelsynError `secrets.unreadable` when it was changed, stands in another place, or was sealed with another key */
export function openValue(sealed: string, key: SealingKey, context: SealContext): Buffer {
  const [, id, text] = FORM.exec(sealed) ?? [];
  const bytes = Buffer.from(text ?? '', 'base64url');
  // Another spelling of the same bytes is no sealed value either.
  if (id !== key.id || bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) throw unreadable(context);
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated(key.id, context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (error) {
    throw unreadable(context, error);
  }
}

export function unreadable({ purpose, owner, name }: SealContext, cause?: unknown): SelsynError {
  return new SelsynError('secrets.unreadable', `the sealed ${purpose} ${name} was changed, or belongs to another place`, {
    cause,
    details: { purpose, owner, name },
  });
}

/** JSON: no two places give the same text. */
function authenticated(keyId: string, { purpose, owner, name }: SealContext): Buffer {
  return Buffer.from(JSON.stringify([VERSION, keyId, purpose, owner, name]));
}
