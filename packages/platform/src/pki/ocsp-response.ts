import {
  commonNameOnly,
  extendedKeyUsage,
  extension,
  type Issuer,
  LEAF_RIGHTS,
  makeCertificate,
  newSerial,
  OCSP_NO_CHECK,
} from './certificate-template.ts';
import { generateKeyPairSync } from 'node:crypto';
import { REASON_CODES } from './crl.ts';
import { bitString, contextTag, der, generalizedTime, octetString, primitiveContextTag, sequence, TAG } from './der-writer.ts';
import { OID } from './object-ids.ts';
import { keyIdOf, readPublicKey } from './public-key.ts';
import { KeySigner, type Signer } from './signer.ts';
import type { OcspAnswer, OcspStatus } from './signing.ts';

const ERROR_STATUS = { malformedRequest: 1, internalError: 2, tryLater: 3, unauthorized: 6 } as const;

/** An OCSPResponse without an answer; nobody signs it (RFC 6960, section 2.3). */
export function ocspError(status: keyof typeof ERROR_STATUS): Uint8Array {
  return sequence(der(TAG.enumerated, Buffer.of(ERROR_STATUS[status])));
}

/** Who signs answers: the authority itself, or someone it has certified for that. */
export interface OcspResponder {
  readonly signer: Signer;
  /** DER of the certificate that is sent along; undefined for the authority itself. */
  readonly certificate: Buffer | undefined;
}

/**
 * A responder with a key in memory, certified for OCSP by the authority (RFC 6960, section 4.2.2.2): so the authority's own key, in a
 * token perhaps, is used once in its life and not for each answer.
 */
export function makeResponder(
  issuer: Issuer,
  validity: { readonly notBeforeMs: number; readonly notAfterMs: number },
): OcspResponder {
  const signer = new KeySigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const certificate = makeCertificate(issuer, {
    ...validity,
    subject: commonNameOnly('Selsyn OCSP responder'),
    spki: signer.publicKey,
    keyBits: readPublicKey(signer.publicKey).bits,
    extensions: [...LEAF_RIGHTS, extendedKeyUsage('ocsp'), OCSP_NO_CHECK],
    serial: newSerial(),
  });
  return { signer, certificate };
}

/**
 * Makes and signs an answer (RFC 6960, section 4.2.1):
 * ```
 * OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, [0] SEQUENCE { id-pkix-ocsp-basic, OCTET STRING { BasicOCSPResponse } } }
 * BasicOCSPResponse ::= SEQUENCE { ResponseData, signatureAlgorithm, signature, [0] certs }
 * ResponseData ::= SEQUENCE { [2] byKey, producedAt, responses SEQUENCE OF SingleResponse, [1] extensions }
 * SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate, [0] nextUpdate }
 * ```
 */
export function makeOcspResponse({ signer, certificate }: OcspResponder, answer: Omit<OcspAnswer, 'authorityId'>): Buffer {
  const thisUpdate = generalizedTime(answer.thisUpdateMs);
  const nextUpdate = der(contextTag(0), generalizedTime(answer.nextUpdateMs));
  const data = sequence(
    der(contextTag(2), octetString(keyIdOf(readPublicKey(signer.publicKey).bits))),
    thisUpdate,
    sequence(...answer.answers.map(({ certId, status }) => sequence(certId.der, statusOf(status), thisUpdate, nextUpdate))),
    ...(answer.nonce === undefined ? [] : [der(contextTag(1), sequence(extension(OID.ocspNonce, answer.nonce)))]),
  );
  const basic = sequence(
    data,
    signer.algorithm,
    bitString(signer.sign(data)),
    ...(certificate === undefined ? [] : [der(contextTag(0), sequence(certificate))]),
  );
  return sequence(der(TAG.enumerated, Buffer.of(0)), der(contextTag(0), sequence(OID.ocspBasic, octetString(basic))));
}

function statusOf(status: OcspStatus): Buffer {
  if (status.status === 'good') return der(primitiveContextTag(0));
  if (status.status === 'unknown') return der(primitiveContextTag(2));
  const code = REASON_CODES[status.reason];
  const reason = code === 0 ? [] : [der(contextTag(0), der(TAG.enumerated, Buffer.of(code)))];
  return der(contextTag(1), generalizedTime(status.revokedAtMs), ...reason);
}
