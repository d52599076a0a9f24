import { type Issuer, extension } from './certificate-template.ts';
import { bitString, contextTag, der, headerOf, primitiveContextTag, sequence, smallInteger, TAG, time } from './der-writer.ts';
import { OID } from './object-ids.ts';
import type { CrlRequest, RevocationReason, RevokedCertificate } from './signing.ts';

/** CRLReason (RFC 5280, section 5.3.1). */
export const REASON_CODES: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
};

/** Of one entry: its own header, a serial of 20 bytes, a time of four digits, the reason. */
const MAX_ENTRY_BYTES = 4 + 23 + 17 + 14;
const DAY_SEC = 86_400;
/** The digit. */
const ZERO = 0x30;
const VERSION_2 = smallInteger(1);

/**
 * The entries of a CRL, for `CrlRequest.revoked`: cheap enough for the caller's own thread, page by page as it reads them.
 * ```
 * SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions SEQUENCE { reasonCode } OPTIONAL }
 * ```
 * An unspecified reason is left out, as it should be (section 5.3.1).
 */
export function encodeRevoked(entries: readonly RevokedCertificate[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(entries.length * MAX_ENTRY_BYTES);
  let at = 0;
  let day = Number.NaN;
  let date: Buffer = Buffer.alloc(0);
  for (const { serial, revokedAtMs, reason } of entries) {
    const sec = Math.floor(revokedAtMs / 1_000);
    if (Math.floor(sec / DAY_SEC) !== day) {
      day = Math.floor(sec / DAY_SEC);
      date = time(day * DAY_SEC * 1_000);
    }
    writeTimeOfDay(date, sec - day * DAY_SEC);
    const why = REASON_EXTENSIONS.get(reason);
    const hex = serial.length % 2 === 0 ? serial : `0${serial}`;
    const serialBytes = hex.length / 2;
    if (serialBytes === 0 || serialBytes > 20 || !/^[0-9a-f]+$/i.test(hex))
      throw new RangeError(`not a serial number: ${serial}`);
    // Positive: a zero in front where the top bit is set.
    const pad = Number.parseInt(hex.slice(0, 2), 16) >= 0x80 ? 1 : 0;
    bytes[at++] = TAG.sequence;
    bytes[at++] = 2 + pad + serialBytes + date.length + (why?.length ?? 0);
    bytes[at++] = TAG.integer;
    bytes[at++] = pad + serialBytes;
    if (pad === 1) bytes[at++] = 0;
    at += bytes.write(hex, at, 'hex');
    at += date.copy(bytes, at);
    if (why !== undefined) at += why.copy(bytes, at);
  }
  return bytes.subarray(0, at);
}

/** Into the `hhmmssZ` that a time ends with: most of the price of an entry would be that of its date. */
function writeTimeOfDay(date: Buffer, sec: number): void {
  const from = date.length - 7;
  for (const [n, value] of [Math.floor(sec / 3_600), Math.floor(sec / 60) % 60, sec % 60].entries()) {
    date[from + 2 * n] = ZERO + Math.floor(value / 10);
    date[from + 2 * n + 1] = ZERO + (value % 10);
  }
}

const REASON_EXTENSIONS = new Map(
  Object.entries(REASON_CODES)
    .filter(([, code]) => code !== 0)
    .map(([reason, code]) => [
      reason as RevocationReason,
      sequence(extension(OID.crlReason, der(TAG.enumerated, Buffer.of(code)))),
    ]),
);

/**
 * Makes and signs a CRL (RFC 5280, section 5.1):
 * ```
 * TBSCertList ::= SEQUENCE { version (1), signature, issuer, thisUpdate, nextUpdate, revokedCertificates SEQUENCE OPTIONAL,
 *   [0] { authorityKeyIdentifier, cRLNumber } }
 * ```
 */
export function makeCrl(issuer: Issuer, request: Omit<CrlRequest, 'authorityId'>): Buffer {
  const { algorithm } = issuer.signer;
  const sizeBytes = request.revoked.reduce((sum, piece) => sum + piece.length, 0);
  const tbs = sequence(
    VERSION_2,
    algorithm,
    issuer.name,
    time(request.thisUpdateMs),
    time(request.nextUpdateMs),
    // The list is not there at all when nothing is revoked.
    ...(sizeBytes === 0 ? [] : [headerOf(TAG.sequence, sizeBytes), ...request.revoked]),
    der(
      contextTag(0),
      sequence(
        extension(OID.authorityKeyId, sequence(der(primitiveContextTag(0), issuer.keyId))),
        extension(OID.crlNumber, smallInteger(request.number)),
      ),
    ),
  );
  return sequence(tbs, algorithm, bitString(issuer.signer.sign(tbs)));
}
