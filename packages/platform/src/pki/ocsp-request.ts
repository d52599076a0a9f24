import { hash } from 'node:crypto';
import { readCertificateParts } from './certificate-reading.ts';
import { DerError, type DerReader, readWhole } from './der-reader.ts';
import { contextTag, objectId, sequence, TAG } from './der-writer.ts';
import { OID } from './object-ids.ts';
import { derOfPem } from './pem.ts';
import { readPublicKey } from './public-key.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { OcspCertId } from './signing.ts';

/** What a client may send at most; a request for one certificate has about 120 bytes. */
export const MAX_OCSP_REQUEST_BYTES = 8_192;
const MAX_CERTIFICATES = 50;
/** RFC 9654, section 2.1, and the header that some put around it. */
const MAX_NONCE_BYTES = 132;

const SHA1 = objectId('1.3.14.3.2.26');
const SHA256 = objectId('2.16.840.1.101.3.4.2.1');
const NULL = Buffer.from([TAG.null, 0]);

/** AlgorithmIdentifiers in a CertID, with and without the NULL. */
const HASHES = [
  { hash: 'sha1', algorithms: [sequence(SHA1, NULL), sequence(SHA1)] },
  { hash: 'sha256', algorithms: [sequence(SHA256, NULL), sequence(SHA256)] },
] as const;

export interface OcspRequest {
  /** At least one. */
  readonly certIds: readonly OcspCertId[];
  /** As it stands in the request's extension; it is repeated in the answer. */
  readonly nonce: Uint8Array | undefined;
}

/**
 * Reads an OCSP request (RFC 6960, section 4.1.1). Its signature, if it has one, is not looked at: everybody may ask.
 * ```
 * OCSPRequest ::= SEQUENCE { tbsRequest SEQUENCE { [0] version, [1] requestorName, requestList SEQUENCE OF Request, [2] extensions },
 *   [0] optionalSignature }
 * Request ::= SEQUENCE { reqCert CertID, [0] singleRequestExtensions }
 * CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash OCTET STRING, issuerKeyHash OCTET STRING, serialNumber INTEGER }
 * ```
 * @throws SelsynError `request.invalid`: answer it with `ocspError('malformedRequest')`
 */
export function readOcspRequest(bytes: Uint8Array): OcspRequest {
  if (bytes.length > MAX_OCSP_REQUEST_BYTES) throw invalid(`it has ${bytes.length} bytes: ${MAX_OCSP_REQUEST_BYTES} are taken`);
  try {
    const outer = readWhole(bytes);
    const tbs = outer.enter();
    outer.optional(contextTag(0));
    outer.end();
    tbs.optional(contextTag(0));
    tbs.optional(contextTag(1));
    const certIds: OcspCertId[] = [];
    for (const list = tbs.enter(); !list.done;) {
      if (certIds.length === MAX_CERTIFICATES) throw new DerError(`more than ${MAX_CERTIFICATES} certificates`);
      certIds.push(readCertId(list.enter().next(TAG.sequence).whole));
    }
    if (certIds.length === 0) throw new DerError('no certificate');
    const extensions = tbs.optional(contextTag(2));
    tbs.end();
    return { certIds, nonce: extensions === undefined ? undefined : nonceOf(readWhole(extensions.content)) };
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error);
    throw error;
  }
}

function readCertId(whole: Buffer): OcspCertId {
  const reader = readWhole(whole);
  const algorithm = reader.next(TAG.sequence).whole;
  const issuerNameHash = reader.next(TAG.octetString).content.toString('hex');
  const issuerKeyHash = reader.next(TAG.octetString).content.toString('hex');
  const serial = reader.unsigned().toString('hex');
  reader.end();
  const known = HASHES.find(({ algorithms }) => algorithms.some((each) => each.equals(algorithm)));
  if (known === undefined) throw new DerError('a hash other than SHA-1 and SHA-256');
  return { der: whole, hash: known.hash, issuerNameHash, issuerKeyHash, serial };
}

function nonceOf(list: DerReader): Buffer | undefined {
  while (!list.done) {
    const extension = list.enter();
    const isNonce = extension.next(TAG.objectId).whole.equals(OID.ocspNonce);
    extension.optional(TAG.boolean);
    const value = extension.next(TAG.octetString).content;
    if (!isNonce) continue;
    if (value.length > MAX_NONCE_BYTES) throw new DerError('a nonce that is too long');
    return value;
  }
  return undefined;
}

export interface IssuerHashes {
  readonly nameHash: string;
  readonly keyHash: string;
}

/** By what a CertID names an authority, hex. @throws SelsynError `certificate.invalid` */
export function ocspIssuerHashes(authorityPem: string): Readonly<Record<OcspCertId['hash'], IssuerHashes>> {
  const der = derOfPem(authorityPem, ['CERTIFICATE'], 65_536, (why) => new SelsynError('certificate.invalid', why));
  const { subject, spki } = readCertificateParts(der);
  const { bits } = readPublicKey(spki);
  const by = (name: OcspCertId['hash']): IssuerHashes => ({
    nameHash: hash(name, subject, 'hex'),
    keyHash: hash(name, bits, 'hex'),
  });
  return { sha1: by('sha1'), sha256: by('sha256') };
}

function invalid(why: string, cause?: unknown): SelsynError {
  return new SelsynError('request.invalid', `this is no OCSP request: ${why}`, { cause });
}
