import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, section 3): nobody can sign in with it. */
export interface ScramCredential {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Of SHA-256, and so of every key and signature. */
export const SCRAM_KEY_BYTES = 32;
export const SCRAM_SALT_BYTES = 16;
/** The least that RFC 7677 allows. Tokens are 256 random bits: more would only be work for small devices. */
export const SCRAM_ITERATIONS = 4_096;

/** @param password printable ASCII, which SASLprep leaves as it is. */
export async function deriveScramCredential(password: string, salt: Uint8Array, iterations: number): Promise<ScramCredential> {
  const saltedPassword = await promisify(pbkdf2)(password, salt, iterations, SCRAM_KEY_BYTES, 'sha256');
  const clientKey = hmac(saltedPassword, 'Client Key');
  return {
    salt,
    iterations,
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: hmac(saltedPassword, 'Server Key'),
  };
}

/**
 * A credential that nobody has a password for: its salt is the same each time for a name, its keys are of no password.
 * @param key secret, and the same for all that must agree.
 */
export function inventScramCredential(key: Uint8Array, username: string): ScramCredential {
  return {
    salt: hmac(key, `salt ${username}`).subarray(0, SCRAM_SALT_BYTES),
    iterations: SCRAM_ITERATIONS,
    storedKey: hmac(key, `stored key ${username}`),
    serverKey: hmac(key, `server key ${username}`),
  };
}

/** Whether `proof` was made with the password of this credential for this exchange; in constant time. */
export function isScramProof(credential: ScramCredential, authMessage: string, proof: Uint8Array): boolean {
  const clientKey = hmac(credential.storedKey, authMessage);
  if (proof.length !== clientKey.length) return false;
  for (let i = 0; i < clientKey.length; i++) clientKey[i]! ^= proof[i]!; // ClientProof = ClientKey XOR ClientSignature
  return timingSafeEqual(createHash('sha256').update(clientKey).digest(), credential.storedKey);
}

/** By which the client knows that the server has the credential. */
export function scramServerSignature(credential: ScramCredential, authMessage: string): Uint8Array {
  return hmac(credential.serverKey, authMessage);
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
