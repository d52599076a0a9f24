import { generateKeyPairSync } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import type { Authority } from './authorities.ts';
import { certificateIdOf } from './certificate-reading.ts';
import {
  commonNameOnly,
  extendedKeyUsage,
  LEAF_RIGHTS,
  makeCertificate,
  newSerial,
  publicationExtensions,
  type PublicationUrls,
  subjectAltName,
} from './certificate-template.ts';
import { checkCsr } from './csr.ts';
import { DerError } from './der-reader.ts';
import { pemOf } from './pem.ts';
import { isUsablePublicKey, keyHashOf, readPublicKey } from './public-key.ts';
import type { IssuedCertificate, IssueRequest, SubjectKey } from './signing.ts';

const MAX_NAME_CHARACTERS = 128;
const MAX_ALT_NAMES = 200;
/** RFC 5280, section 4.1.2.5: what GeneralizedTime can say. */
const MAX_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

/**
 * Issues one certificate.
 * @throws SelsynError `csr.invalid`, `csr.weak-key`, `request.invalid`, `signer.unavailable`
 */
export function issueCertificate(authority: Authority, urls: PublicationUrls, request: IssueRequest): IssuedCertificate {
  const { issuer, facts } = authority;
  if (issuer === undefined) throw new SelsynError('signer.unavailable', 'the key of the authority is not here');
  const { commonName, use, names = [] } = request;
  checkName(commonName);
  if (names.length > MAX_ALT_NAMES) throw new SelsynError('request.invalid', `more than ${MAX_ALT_NAMES} names`);
  const { notBeforeMs, notAfterMs } = validityWithin(request, facts);
  const key = subjectKeyOf(request.key);
  const { bits, kind } = readPublicKey(key.spki);
  const serial = newSerial();
  const der = makeCertificate(issuer, {
    subject: commonNameOnly(commonName),
    spki: key.spki,
    keyBits: bits,
    extensions: [
      ...LEAF_RIGHTS,
      extendedKeyUsage(use),
      ...(names.length === 0 ? [] : [subjectAltName(names)]),
      ...publicationExtensions(urls),
    ],
    serial,
    notBeforeMs,
    notAfterMs,
  });
  return {
    id: certificateIdOf(der),
    authorityId: facts.id,
    serial: serial.toString('hex'),
    subject: `CN=${commonName}`,
    keyHash: keyHashOf(key.spki),
    keyKind: kind,
    notBeforeMs,
    notAfterMs,
    der,
    certificatePem: pemOf('CERTIFICATE', der),
    chainPem: facts.chainPem,
    ...(key.privateKeyPem === undefined ? {} : { privateKeyPem: key.privateKeyPem }),
  };
}

/** Whole seconds, and never outside of the authority's own time: what outlives it is worth nothing. */
function validityWithin(
  { notBeforeMs, notAfterMs }: IssueRequest,
  authority: { readonly notBeforeMs: number; readonly notAfterMs: number },
): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  const from = wholeSeconds(Math.max(notBeforeMs, authority.notBeforeMs));
  const to = wholeSeconds(Math.min(notAfterMs, authority.notAfterMs, MAX_TIME_MS));
  if (!(from < to))
    throw new SelsynError(
      'request.invalid',
      'the certificate would have no time in which it is valid: it ends too early, or its authority does',
    );
  return { notBeforeMs: from, notAfterMs: to };
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

function checkName(commonName: string): void {
  if (commonName === '' || commonName.length > MAX_NAME_CHARACTERS || /\p{Cc}/u.test(commonName) || !commonName.isWellFormed())
    throw new SelsynError('request.invalid', `a common name has 1 to ${MAX_NAME_CHARACTERS} characters that can be printed`);
}

function subjectKeyOf(key: SubjectKey): { readonly spki: Buffer; readonly privateKeyPem?: string } {
  if ('csr' in key) return { spki: asBuffer(checkCsr(key.csr).publicKey) };
  if ('generate' in key) {
    // In one go, without key objects: half the time.
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    return { spki: publicKey, privateKeyPem: privateKey };
  }
  const spki = asBuffer(key.publicKey);
  try {
    const { weakness } = readPublicKey(spki);
    if (weakness !== undefined) throw new SelsynError('csr.weak-key', weakness);
  } catch (error) {
    if (error instanceof DerError)
      throw new SelsynError('request.invalid', `the public key cannot be read: ${error.message}`, { cause: error });
    throw error;
  }
  if (!isUsablePublicKey(spki)) throw new SelsynError('request.invalid', 'the public key is none');
  return { spki };
}

/** From another thread a Buffer arrives as a Uint8Array. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
