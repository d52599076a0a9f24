import { isIPv6 } from 'node:net';
import { randomBytes } from 'node:crypto';
import { bitString, contextTag, der, octetString, primitiveContextTag, sequence, TAG, time, utf8String } from './der-writer.ts';
import { OID } from './object-ids.ts';
import { keyIdOf } from './public-key.ts';
import type { Signer } from './signer.ts';

/** Where third parties find what an authority publishes; each may be missing. */
export interface PublicationUrls {
  readonly crl?: string | undefined;
  readonly ocsp?: string | undefined;
  readonly authority?: string | undefined;
}

export interface Issuer {
  readonly signer: Signer;
  /** The subject of its certificate, DER. */
  readonly name: Buffer;
  /** The subject key identifier of its certificate. */
  readonly keyId: Buffer;
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What differs between certificates of one issuer. */
export interface CertificateFields extends Validity {
  /** DER; from `commonNameOnly`. */
  readonly subject: Buffer;
  readonly spki: Buffer;
  /** The content of the key's BIT STRING. */
  readonly keyBits: Buffer;
  /** Whole Extension values, besides the key identifiers. */
  readonly extensions: readonly Buffer[];
  /** 16 bytes; from `newSerial`. */
  readonly serial: Buffer;
}

const VERSION_3 = der(contextTag(0), der(TAG.integer, Buffer.of(2)));
const TRUE = der(TAG.boolean, Buffer.of(0xff));

/**
 * Makes and signs a certificate (RFC 5280, section 4.1):
 * ```
 * TBSCertificate ::= SEQUENCE { [0] version (2), serialNumber INTEGER, signature AlgorithmIdentifier, issuer Name,
 *   validity SEQUENCE { notBefore, notAfter }, subject Name, subjectPublicKeyInfo, [3] extensions }
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
 * ```
 */
export function makeCertificate(issuer: Issuer, fields: CertificateFields): Buffer {
  const { algorithm } = issuer.signer;
  const tbs = sequence(
    VERSION_3,
    der(TAG.integer, fields.serial),
    algorithm,
    issuer.name,
    sequence(time(fields.notBeforeMs), time(fields.notAfterMs)),
    fields.subject,
    fields.spki,
    der(
      contextTag(3),
      sequence(
        ...fields.extensions,
        extension(OID.subjectKeyId, octetString(keyIdOf(fields.keyBits))),
        extension(OID.authorityKeyId, sequence(der(primitiveContextTag(0), issuer.keyId))),
      ),
    ),
  );
  return sequence(tbs, algorithm, bitString(issuer.signer.sign(tbs)));
}

/** 126 random bits, positive, and never with a leading zero (RFC 5280, section 4.1.2.2). */
export function newSerial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** A name that has only a common name; whatever characters it has, they are one value. */
export function commonNameOnly(commonName: string): Buffer {
  return sequence(der(TAG.set, sequence(OID.commonName, utf8String(commonName))));
}

export function extension(id: Buffer, value: Uint8Array, critical = false): Buffer {
  return critical ? sequence(id, TRUE, octetString(value)) : sequence(id, octetString(value));
}

/** Basic constraints and key usage, critical both, of a server or a device. */
export const LEAF_RIGHTS: readonly Buffer[] = [
  extension(OID.basicConstraints, sequence(), true),
  // digitalSignature
  extension(OID.keyUsage, Buffer.from([TAG.bitString, 2, 7, 0x80]), true),
];

/** Of an authority that may stand above so many others. */
export function authorityRights(pathLength: number): readonly Buffer[] {
  return [
    extension(OID.basicConstraints, sequence(TRUE, der(TAG.integer, Buffer.of(pathLength))), true),
    // keyCertSign, cRLSign
    extension(OID.keyUsage, Buffer.from([TAG.bitString, 2, 1, 0x06]), true),
  ];
}

export function extendedKeyUsage(use: 'server' | 'client' | 'ocsp'): Buffer {
  const purpose = { server: OID.serverAuth, client: OID.clientAuth, ocsp: OID.ocspSigning }[use];
  return extension(OID.extendedKeyUsage, sequence(purpose));
}

export interface AltName {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** RFC 5280, section 4.2.1.6: dNSName [2], iPAddress [7]. */
export function subjectAltName(names: readonly AltName[]): Buffer {
  return extension(
    OID.subjectAltName,
    sequence(
      ...names.map(({ type, value }) =>
        type === 'dns'
          ? der(primitiveContextTag(2), Buffer.from(value, 'latin1'))
          : der(primitiveContextTag(7), addressBytes(value)),
      ),
    ),
  );
}

/** The places that a leaf names: RFC 5280, sections 4.2.1.13 and 4.2.2.1. */
export function publicationExtensions({ crl, ocsp, authority }: PublicationUrls): readonly Buffer[] {
  const accesses = [
    ...(ocsp === undefined ? [] : [sequence(OID.ocsp, uri(ocsp))]),
    ...(authority === undefined ? [] : [sequence(OID.caIssuers, uri(authority))]),
  ];
  return [
    ...(crl === undefined
      ? []
      : [extension(OID.crlDistributionPoints, sequence(sequence(der(contextTag(0), der(contextTag(0), uri(crl))))))]),
    ...(accesses.length === 0 ? [] : [extension(OID.authorityInfoAccess, sequence(...accesses))]),
  ];
}

/** RFC 6960, section 4.2.2.2.1: who checks an answer need not ask about the responder. */
export const OCSP_NO_CHECK = extension(OID.ocspNoCheck, Buffer.from([TAG.null, 0]));

/** uniformResourceIdentifier [6] */
function uri(url: string): Buffer {
  return der(primitiveContextTag(6), Buffer.from(url, 'latin1'));
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text =
    dotted === null
      ? address
      : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const bytes = Buffer.alloc(16);
  groups.forEach((group, n) => bytes.writeUInt16BE(Number.parseInt(group, 16), n * 2));
  return bytes;
}
