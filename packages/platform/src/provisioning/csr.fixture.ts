/** For tests: certificate requests, honest and not. */
import { type KeyPairKeyObjectResult, sign } from 'node:crypto';
import { commonNameOnly } from '../pki/certificate-template.ts';
import { bitString, contextTag, der, sequence, smallInteger } from '../pki/der-writer.ts';
import { ALGORITHM } from '../pki/object-ids.ts';
import { pemOf } from '../pki/pem.ts';

/** A request for a key on P-256. @param attributes what it asks for, as DER */
export function makeCsr(keys: KeyPairKeyObjectResult, commonName: string, attributes: readonly Uint8Array[] = []): string {
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(smallInteger(0), commonNameOnly(commonName), spki, der(contextTag(0), ...attributes));
  return pemOf('CERTIFICATE REQUEST', sequence(info, ALGORITHM.ecdsaSha256, bitString(sign('sha256', info, keys.privateKey))));
}
