import { createHash, timingSafeEqual } from 'node:crypto';

/** Random bytes from a source that nobody can predict; an argument so that tests repeat. */
export type RandomBytes = (count: number) => Uint8Array;

const SECRET_BYTES = 32;

/** 256 random bits as 43 characters of base64url. They need no slow hash: nobody can try them all. */
export function newSecret(random: RandomBytes): string {
  return Buffer.from(random(SECRET_BYTES)).toString('base64url');
}

/** SHA-256 as base64url, which is what is kept of a secret. */
export function hashSecret(secret: string | Uint8Array): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Stands in for the hash of someone who is not known, so that the refusal takes as long. No secret has this hash. */
export const NO_HASH = 'A'.repeat(43);

/** In a time that does not tell where they differ. */
export function sameHash(one: string, other: string): boolean {
  const left = Buffer.from(one, 'latin1');
  const right = Buffer.from(other, 'latin1');
  return left.length === right.length && timingSafeEqual(left, right);
}
