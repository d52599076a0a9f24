import { verify } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import { DerError, readWhole } from './der-reader.ts';
import { contextTag, TAG } from './der-writer.ts';
import { ALGORITHM } from './object-ids.ts';
import { derOfPem } from './pem.ts';
import { keyHashOf, readPublicKey } from './public-key.ts';
import type { CheckedCsr } from './signing.ts';

/** Larger ones are refused unread. A request with an RSA key of 4096 bits has about 1.5 KB. */
export const MAX_CSR_BYTES = 16_384;

const HASHES = [
  { kind: 'EC', hash: 'sha256', algorithm: ALGORITHM.ecdsaSha256 },
  { kind: 'EC', hash: 'sha384', algorithm: ALGORITHM.ecdsaSha384 },
  { kind: 'EC', hash: 'sha512', algorithm: ALGORITHM.ecdsaSha512 },
  { kind: 'RSA', hash: 'sha256', algorithm: ALGORITHM.rsaSha256 },
  { kind: 'RSA', hash: 'sha384', algorithm: ALGORITHM.rsaSha384 },
  { kind: 'RSA', hash: 'sha512', algorithm: ALGORITHM.rsaSha512 },
] as const;

/**
 * Checks a certificate request (RFC 2986) and takes its key, and nothing else: the subject and what it asks for (alternative names, the
 * rights of an authority, usages) are signed over but not even read.
 *
 * ```
 * CertificationRequest ::= SEQUENCE {
 *   certificationRequestInfo SEQUENCE { version INTEGER (0), subject Name, subjectPKInfo SPKI, attributes [0] },
 *   signatureAlgorithm AlgorithmIdentifier, signature BIT STRING }
 * ```
 * Everything outside of what is signed must have its one possible form, so no request is accepted in two spellings.
 *
 * @throws SelsynError `csr.invalid`, `csr.weak-key`
 */
export function checkCsr(csr: string | Uint8Array): CheckedCsr {
  const der =
    typeof csr === 'string' ? derOfPem(csr, ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'], MAX_CSR_BYTES, invalid) : csr;
  if (der.length > MAX_CSR_BYTES) throw invalid(`it has ${der.length} bytes: ${MAX_CSR_BYTES} are taken`);
  const { signed, spki, algorithm, signature } = parse(der);
  const { kind, weakness } = factsOf(spki);
  if (weakness !== undefined) throw new SelsynError('csr.weak-key', weakness, { details: { keyKind: kind } });
  const family = kind.startsWith('RSA') ? 'RSA' : 'EC';
  const how = HASHES.find((known) => known.kind === family && algorithm.equals(known.algorithm));
  if (how === undefined)
    throw new SelsynError('csr.weak-key', 'it is signed by a method that is not taken: use SHA-256, SHA-384 or SHA-512', {
      details: { keyKind: kind },
    });
  if (!isSignature(how.hash, signed, spki, signature))
    throw invalid('its signature is not by the key it is for: the possession of the private key is not proved');
  return { keyHash: keyHashOf(spki), keyKind: kind, publicKey: spki };
}

function parse(der: Uint8Array): { signed: Buffer; spki: Buffer; algorithm: Buffer; signature: Buffer } {
  try {
    const request = readWhole(der);
    const info = request.next(TAG.sequence);
    const algorithm = request.next(TAG.sequence).whole;
    const signature = request.bits();
    request.end();
    const fields = readWhole(info.whole);
    const version = fields.unsigned();
    if (version.length !== 1 || version[0] !== 0) throw new DerError('a version other than 1');
    fields.next(TAG.sequence);
    const spki = fields.next(TAG.sequence).whole;
    // RFC 2986 wants it, if empty; some small clients leave it out.
    fields.optional(contextTag(0));
    fields.end();
    return { signed: info.whole, spki, algorithm, signature };
  } catch (error) {
    if (error instanceof DerError) throw invalid(`it is not a PKCS#10 request in DER: ${error.message}`, error);
    throw error;
  }
}

function factsOf(spki: Buffer): ReturnType<typeof readPublicKey> {
  try {
    return readPublicKey(spki);
  } catch (error) {
    if (error instanceof DerError) throw invalid(`its public key cannot be read: ${error.message}`, error);
    throw error;
  }
}

/** False also for what is no key: a point beside its curve. */
function isSignature(hash: string, signed: Buffer, spki: Buffer, signature: Buffer): boolean {
  try {
    return verify(hash, signed, { key: spki, format: 'der', type: 'spki' }, signature);
  } catch {
    return false;
  }
}

function invalid(why: string, cause?: unknown): SelsynError {
  return new SelsynError('csr.invalid', `the certificate request is not taken: ${why}`, { cause });
}
