import { SelsynError } from '../../kernel/errors.ts';
import { certsOnly } from '../../pki/certs-only.ts';
import { MAX_CSR_BYTES } from '../../pki/csr.ts';
import { der, objectId, sequence, TAG } from '../../pki/der-writer.ts';
import { ALGORITHM, OID } from '../../pki/object-ids.ts';
import { certificateBlocks, derOfPem } from '../../pki/pem.ts';

/** The media types of EST (RFC 7030, sections 4.1.3, 4.2.1, 4.2.3, 4.5.2). */
export const EST_TYPE = {
  request: 'application/pkcs10',
  certificates: 'application/pkcs7-mime',
  issued: 'application/pkcs7-mime; smime-type=certs-only',
  attributes: 'application/csrattrs',
} as const;

/** In base64, with white space in it. */
export const MAX_EST_BODY_BYTES = 32_768;
const MAX_CERTIFICATE_BYTES = 16_384;

/**
 * The request that a body holds: base64 of its DER whatever a Content-Transfer-Encoding says, in which white space counts for nothing
 * (RFC 8951, section 3.1).
 *
 * @throws SelsynError `csr.invalid`
 */
export function readEstBody(body: unknown): Buffer {
  const text = Buffer.isBuffer(body) ? body.toString('latin1').replaceAll(/[\r\n\t ]+/g, '') : '';
  if (text === '') throw invalid('the body is empty');
  if (text.startsWith('-----')) throw invalid('the body is PEM: send what stands between its first and its last line');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw invalid('the body is not base64 of a PKCS#10 request in DER');
  if (bytes.length > MAX_CSR_BYTES) throw invalid(`it has ${bytes.length} bytes: ${MAX_CSR_BYTES} are taken`);
  return bytes;
}

/** Certificates in PEM as a body: base64 of a certs-only message, one certificate each. */
export function certificatesBody(pems: readonly string[]): string {
  const certificates = pems
    .flatMap(certificateBlocks)
    .map((pem) => derOfPem(pem, ['CERTIFICATE'], MAX_CERTIFICATE_BYTES, broken));
  return wrapped(certsOnly(certificates));
}

/**
 * What a request is best made of (RFC 7030, section 4.5.2; RFC 8951, section 3.2): a key on P-256, signed with SHA-256. Others are taken
 * too (see `checkCsr`).
 *
 * `CsrAttrs ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID`, `Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }`
 */
export function attributesBody(): string {
  const key = sequence(OID.ecPublicKey, der(TAG.set, OID.p256));
  const signature = ALGORITHM.ecdsaSha256.subarray(2);
  return wrapped(sequence(key, signature, SERIAL_NUMBER));
}

/** Whose value says which device it is. */
const SERIAL_NUMBER = objectId('2.5.4.5');

/** White space "SHOULD be tolerated by receivers", and those of old expect lines (RFC 8951, section 3.1; RFC 2045, section 6.8). */
function wrapped(bytes: Buffer): string {
  return `${bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n`;
}

function invalid(why: string): SelsynError {
  return new SelsynError('csr.invalid', `the certificate request is not taken: ${why}`);
}

function broken(why: string): SelsynError {
  return new SelsynError('internal', `a certificate of this server cannot be read: ${why}`);
}
