import { extensionOf, readCertificateParts } from './certificate-reading.ts';
import { readWhole } from './der-reader.ts';
import { objectId, TAG } from './der-writer.ts';
import { OID } from './object-ids.ts';

const ANY_EXTENDED_KEY_USAGE = objectId('2.5.29.37.0');

/** Whether a certificate may stand for a client of TLS: its extended key usage says so, or nothing (RFC 5280, section 4.2.1.12). @throws DerError */
export function isClientCertificate(der: Uint8Array): boolean {
  const value = extensionOf(readCertificateParts(der), OID.extendedKeyUsage);
  if (value === undefined) return true;
  for (const usages = readWhole(value); !usages.done;) {
    const { whole } = usages.next(TAG.objectId);
    if (whole.equals(OID.clientAuth) || whole.equals(ANY_EXTENDED_KEY_USAGE)) return true;
  }
  return false;
}
