import { objectId, sequence, TAG } from './der-writer.ts';

const NULL = Buffer.from([TAG.null, 0]);

/** Object identifiers as whole DER values. */
export const OID = {
  commonName: objectId('2.5.4.3'),
  basicConstraints: objectId('2.5.29.19'),
  keyUsage: objectId('2.5.29.15'),
  extendedKeyUsage: objectId('2.5.29.37'),
  subjectKeyId: objectId('2.5.29.14'),
  authorityKeyId: objectId('2.5.29.35'),
  subjectAltName: objectId('2.5.29.17'),
  crlDistributionPoints: objectId('2.5.29.31'),
  crlNumber: objectId('2.5.29.20'),
  crlReason: objectId('2.5.29.21'),
  authorityInfoAccess: objectId('1.3.6.1.5.5.7.1.1'),
  ocsp: objectId('1.3.6.1.5.5.7.48.1'),
  caIssuers: objectId('1.3.6.1.5.5.7.48.2'),
  ocspBasic: objectId('1.3.6.1.5.5.7.48.1.1'),
  ocspNonce: objectId('1.3.6.1.5.5.7.48.1.2'),
  ocspNoCheck: objectId('1.3.6.1.5.5.7.48.1.5'),
  serverAuth: objectId('1.3.6.1.5.5.7.3.1'),
  clientAuth: objectId('1.3.6.1.5.5.7.3.2'),
  ocspSigning: objectId('1.3.6.1.5.5.7.3.9'),
  ecPublicKey: objectId('1.2.840.10045.2.1'),
  p256: objectId('1.2.840.10045.3.1.7'),
  p384: objectId('1.3.132.0.34'),
} as const;

/** AlgorithmIdentifiers as whole DER values: none with ECDSA has parameters, all with RSA have NULL (RFC 5758, RFC 4055). */
export const ALGORITHM = {
  rsaEncryption: sequence(objectId('1.2.840.113549.1.1.1'), NULL),
  ecP256: sequence(OID.ecPublicKey, OID.p256),
  ecP384: sequence(OID.ecPublicKey, OID.p384),
  ecdsaSha256: sequence(objectId('1.2.840.10045.4.3.2')),
  ecdsaSha384: sequence(objectId('1.2.840.10045.4.3.3')),
  ecdsaSha512: sequence(objectId('1.2.840.10045.4.3.4')),
  rsaSha256: sequence(objectId('1.2.840.113549.1.1.11'), NULL),
  rsaSha384: sequence(objectId('1.2.840.113549.1.1.12'), NULL),
  rsaSha512: sequence(objectId('1.2.840.113549.1.1.13'), NULL),
} as const;
