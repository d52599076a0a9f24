import { contextTag, der, objectId, sequence, smallInteger, TAG } from './der-writer.ts';

const SIGNED_DATA = objectId('1.2.840.113549.1.7.2');
const DATA = objectId('1.2.840.113549.1.7.1');

/**
 * Certificates as a message that nobody has signed (CMS SignedData, RFC 5652, section 5.1; a "certs-only" message of RFC 5272, section 4.1).
 *
 * ```
 * ContentInfo ::= SEQUENCE { contentType signedData, [0] SignedData }
 * SignedData ::= SEQUENCE { version 1, digestAlgorithms SET {}, encapContentInfo SEQUENCE { data }, certificates [0], signerInfos SET {} }
 * ```
 */
export function certsOnly(certificates: readonly Uint8Array[]): Buffer {
  const nothing = der(TAG.set);
  const signedData = sequence(smallInteger(1), nothing, sequence(DATA), der(contextTag(0), ...certificates), nothing);
  return sequence(SIGNED_DATA, der(contextTag(0), signedData));
}
