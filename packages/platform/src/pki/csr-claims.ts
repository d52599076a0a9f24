import { SelsynError } from '../kernel/errors.ts';
import { textOf } from './certificate-reading.ts';
import { MAX_CSR_BYTES } from './csr.ts';
import { DerError, DerReader, readWhole } from './der-reader.ts';
import { contextTag, objectId, TAG } from './der-writer.ts';
import { type NameAttribute, readName } from './name-attributes.ts';

/** What somebody says of themselves in a certificate request. Nothing of it is proved, but that it was signed with the key. */
export interface CsrClaims {
  readonly subject: readonly NameAttribute[];
  /** PKCS #9 (RFC 2985, section 5.4.1); by EST it carries what proves a serial number. */
  readonly challengePassword: string | undefined;
}

const CHALLENGE_PASSWORD = objectId('1.2.840.113549.1.9.7');

/** Reads what a request (PKCS #10, DER) claims; `checkCsr` checks it. @throws SelsynError `csr.invalid` */
export function readCsrClaims(der: Uint8Array): CsrClaims {
  if (der.length > MAX_CSR_BYTES) throw invalid(`it has ${der.length} bytes: ${MAX_CSR_BYTES} are taken`);
  try {
    const info = readWhole(der).enter();
    info.unsigned();
    const subject = readName(info.next(TAG.sequence).whole);
    info.next(TAG.sequence);
    const attributes = info.optional(contextTag(0));
    return {
      subject,
      challengePassword: attributes === undefined ? undefined : challengePasswordOf(new DerReader(attributes.content)),
    };
  } catch (error) {
    if (error instanceof DerError) throw invalid(`it is not a PKCS#10 request in DER: ${error.message}`, error);
    throw error;
  }
}

/** `Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }` */
function challengePasswordOf(attributes: DerReader): string | undefined {
  while (!attributes.done) {
    const attribute = attributes.enter();
    const isPassword = attribute.next(TAG.objectId).whole.equals(CHALLENGE_PASSWORD);
    const values = attribute.enter(TAG.set);
    if (!isPassword) continue;
    const { tag, content } = values.next();
    return textOf(tag, content);
  }
  return undefined;
}

function invalid(why: string, cause?: unknown): SelsynError {
  return new SelsynError('csr.invalid', `the certificate request is not taken: ${why}`, { cause });
}
