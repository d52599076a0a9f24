import type { RandomBytes } from '../kernel/secret.ts';

/** How the ids of access keys begin: like those of AWS, which begin with AKIA, but to be told from them. */
export const ACCESS_KEY_START = 'AKSY';
const ACCESS_KEY_ID = /^AKSY[A-Z2-7]{16}$/;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ID_LETTERS = 16;
/** 40 characters of base64, as AWS has it. */
const SECRET_BYTES = 30;

/** 20 capital letters and digits, which every tool that knows AWS takes for an id. */
export function newAccessKeyId(random: RandomBytes): string {
  const letters = [...random(ID_LETTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return ACCESS_KEY_START + letters.join('');
}

export function isAccessKeyId(text: string): boolean {
  return ACCESS_KEY_ID.test(text);
}

/** 240 random bits. */
export function newAccessKeySecret(random: RandomBytes): string {
  return Buffer.from(random(SECRET_BYTES)).toString('base64');
}
