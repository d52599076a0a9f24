import { hash, X509Certificate } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import { DerError, DerReader, readTime, readWhole } from './der-reader.ts';
import { contextTag, primitiveContextTag, TAG } from './der-writer.ts';
import { OID } from './object-ids.ts';
import { derOfPem, pemOf } from './pem.ts';
import { keyHashOf, readPublicKey } from './public-key.ts';
import type { CertificateDescription, KeyKind } from './signing.ts';

/** Of a certificate that somebody sends. One with an RSA key of 4096 bits and many names has about 3 KB. */
const MAX_CERTIFICATE_BYTES = 16_384;

/** What stands in a certificate (RFC 5280, section 4.1), as far as it matters here. */
export interface CertificateParts {
  /** Hex. */
  readonly serial: string;
  /** Names as they stand, DER: they are compared byte by byte. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spki: Buffer;
  /** By the hex of the whole identifier (see `extensionOf`); the content of the OCTET STRING. */
  readonly extensions: ReadonlyMap<string, { readonly critical: boolean; readonly value: Buffer }>;
}

/** Reads the parts of a certificate; checks no signature. @throws DerError */
export function readCertificateParts(der: Uint8Array): CertificateParts {
  const tbs = readWhole(der).enter();
  tbs.optional(contextTag(0));
  const serial = tbs.unsigned().toString('hex');
  tbs.next(TAG.sequence);
  const issuer = tbs.next(TAG.sequence).whole;
  const validity = tbs.enter();
  const notBeforeMs = readTime(validity.next());
  const notAfterMs = readTime(validity.next());
  const subject = tbs.next(TAG.sequence).whole;
  const spki = tbs.next(TAG.sequence).whole;
  tbs.optional(0x81);
  tbs.optional(0x82);
  const extensions = new Map<string, { critical: boolean; value: Buffer }>();
  const wrapped = tbs.optional(contextTag(3));
  if (wrapped !== undefined) {
    const list = readWhole(wrapped.content);
    while (!list.done) {
      const extension = list.enter();
      const id = extension.next(TAG.objectId).whole.toString('hex');
      const critical = extension.optional(TAG.boolean) !== undefined;
      if (extensions.has(id)) throw new DerError('an extension that is there twice');
      extensions.set(id, { critical, value: extension.next(TAG.octetString).content });
    }
  }
  tbs.end();
  return { serial, issuer, subject, notBeforeMs, notAfterMs, spki, extensions };
}

export function extensionOf({ extensions }: CertificateParts, id: Buffer): Buffer | undefined {
  return extensions.get(id.toString('hex'))?.value;
}

/** Undefined where there is none. @throws DerError */
export function subjectKeyIdOf(parts: CertificateParts): Buffer | undefined {
  const value = extensionOf(parts, OID.subjectKeyId);
  return value === undefined ? undefined : new DerReader(value).next(TAG.octetString).content;
}

/** @throws DerError */
export function authorityKeyIdOf(parts: CertificateParts): Buffer | undefined {
  const value = extensionOf(parts, OID.authorityKeyId);
  return value === undefined ? undefined : readWhole(value).optional(primitiveContextTag(0))?.content;
}

/** The last common name of a name; undefined where it has none. @throws DerError */
export function commonNameOf(name: Uint8Array): string | undefined {
  let found: string | undefined;
  for (const set = readWhole(name); !set.done;) {
    for (const attributes = set.enter(TAG.set); !attributes.done;) {
      const attribute = attributes.enter();
      const isCommonName = attribute.next(TAG.objectId).whole.equals(OID.commonName);
      const { tag, content } = attribute.next();
      if (isCommonName) found = textOf(tag, content);
    }
  }
  return found;
}

/** What a string of a name says. BMPString is UTF-16; UniversalString nobody uses. */
export function textOf(tag: number, content: Buffer): string {
  if (tag === 0x1e)
    return Buffer.from(content.subarray(0, content.length & ~1))
      .swap16()
      .toString('utf16le');
  return content.toString(tag === TAG.utf8String ? 'utf8' : 'latin1');
}

/** SHA-256 of the DER, hex. */
export function certificateIdOf(der: Uint8Array): string {
  return hash('sha256', der, 'hex');
}

/**
 * Reads a certificate, PEM or DER, for OpenSSL and for us: both must take it.
 * @throws SelsynError `certificate.invalid`
 */
export function describeCertificate(certificate: string | Uint8Array): CertificateDescription {
  const der =
    typeof certificate === 'string' ? derOfPem(certificate, ['CERTIFICATE'], MAX_CERTIFICATE_BYTES, invalid) : certificate;
  if (der.length > MAX_CERTIFICATE_BYTES) throw invalid(`it has ${der.length} bytes: ${MAX_CERTIFICATE_BYTES} are taken`);
  try {
    const read = new X509Certificate(der);
    const parts = readCertificateParts(der);
    return {
      id: certificateIdOf(der),
      serial: parts.serial,
      subject: nameText(read.subject),
      issuer: nameText(read.issuer),
      commonName: commonNameOf(parts.subject),
      keyHash: keyHashOf(parts.spki),
      keyKind: keyKindOf(parts.spki),
      notBeforeMs: parts.notBeforeMs,
      notAfterMs: parts.notAfterMs,
      isAuthority: read.ca,
      subjectKeyId: subjectKeyIdOf(parts)?.toString('hex'),
      authorityKeyId: authorityKeyIdOf(parts)?.toString('hex'),
      der,
      pem: pemOf('CERTIFICATE', der),
    };
  } catch (error) {
    if (error instanceof SelsynError) throw error;
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

/** @throws SelsynError `certificate.invalid` */
export function asX509(certificate: string | Uint8Array): X509Certificate {
  return new X509Certificate(describeCertificate(certificate).der);
}

/** The weakness of a certificate's key, for people; undefined for a good one. */
export function keyWeaknessOf(der: Uint8Array): string | undefined {
  return readPublicKey(readCertificateParts(der).spki).weakness;
}

/** A key of another form than ours is no reason not to describe what it stands in. */
function keyKindOf(spki: Buffer): KeyKind {
  try {
    return readPublicKey(spki).kind;
  } catch (error) {
    if (error instanceof DerError) return 'other';
    throw error;
  }
}

/** Node prints a line for each part. Undefined for an empty name, whatever its type says. */
function nameText(text: string | undefined): string {
  return (text ?? '').split('\n').join(', ');
}

function invalid(why: string, cause?: unknown): SelsynError {
  return new SelsynError('certificate.invalid', `the certificate is not taken: ${why}`, { cause });
}
