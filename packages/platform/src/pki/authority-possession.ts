import type { X509Certificate } from 'node:crypto';
import { SelsynError } from '../kernel/errors.ts';
import { asX509, describeCertificate, keyWeaknessOf } from './certificate-reading.ts';
import type { CertificateDescription } from './signing.ts';

/**
 * Checks that somebody holds the key of an authority: he has had it sign a certificate whose common name is a code that was made for him.
 * @throws SelsynError `certificate.invalid`, `certificate.no-possession`
 */
export function verifyPossession(
  request: { readonly authorityPem: string; readonly proofPem: string; readonly code: string },
  nowMs: number,
): CertificateDescription {
  const authority = describeCertificate(request.authorityPem);
  if (!authority.isAuthority) throw invalid('it is not that of an authority (basic constraints, key usage)');
  if (nowMs < authority.notBeforeMs || nowMs > authority.notAfterMs) throw invalid('it is not in its time of validity');
  const weakness = keyWeaknessOf(authority.der);
  if (weakness !== undefined) throw invalid(weakness);
  const proof = describeCertificate(request.proofPem);
  if (proof.commonName !== request.code || request.code === '')
    throw refused('the common name of the certificate is not the registration code');
  if (proof.id === authority.id || !isSignedBy(asX509(proof.der), asX509(authority.der)))
    throw refused('the certificate with the code is not signed by the authority');
  return authority;
}

function isSignedBy(leaf: X509Certificate, authority: X509Certificate): boolean {
  try {
    return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
  } catch {
    return false;
  }
}

function invalid(why: string): SelsynError {
  return new SelsynError('certificate.invalid', `the certificate of the authority is not taken: ${why}`);
}

function refused(why: string): SelsynError {
  return new SelsynError('certificate.no-possession', why);
}
