import { createCipheriv, type KeyObject, pbkdf2Sync, randomBytes } from 'node:crypto';
import { objectId, octetString, sequence, smallInteger, TAG } from './der-writer.ts';
import { pemOf } from './pem.ts';

/** As OWASP advises for PBKDF2 with SHA-256: guessing costs, opening takes some tenths of a second. OpenSSL's own default is 2,048. */
const ITERATIONS = 600_000;

/**
 * A private key under a passphrase, as OpenSSL reads it: PBES2 with PBKDF2, HMAC-SHA256 and AES-256-CBC (RFC 8018, appendix A).
 * ```
 * EncryptedPrivateKeyInfo ::= SEQUENCE {
 *   SEQUENCE { id-PBES2, SEQUENCE { SEQUENCE { id-PBKDF2, SEQUENCE { salt, iterations, hmacWithSHA256 } }, SEQUENCE { aes256-CBC, iv } } },
 *   encrypted OCTET STRING }
 * ```
 */
export function encryptedKeyPem(privateKey: KeyObject, passphrase: string): string {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const key = pbkdf2Sync(passphrase, salt, ITERATIONS, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' });
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  key.fill(0);
  const derivation = sequence(PBKDF2, sequence(octetString(salt), smallInteger(ITERATIONS), HMAC_SHA256));
  const scheme = sequence(PBES2, sequence(derivation, sequence(AES_256_CBC, octetString(iv))));
  return pemOf('ENCRYPTED PRIVATE KEY', sequence(scheme, octetString(encrypted)));
}

const PBES2 = objectId('1.2.840.113549.1.5.13');
const PBKDF2 = objectId('1.2.840.113549.1.5.12');
const HMAC_SHA256 = sequence(objectId('1.2.840.113549.2.9'), Buffer.from([TAG.null, 0]));
const AES_256_CBC = objectId('2.16.840.1.101.3.4.1.42');
