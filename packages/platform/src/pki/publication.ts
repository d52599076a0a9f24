import type { PublicationUrls } from './certificate-template.ts';

/** Where the server publishes what third parties check certificates with. Unauthenticated, and over plain HTTP as is usual. */
export const PUBLICATION_PATHS = {
  /** DER. */
  crl: (authorityId: string): string => `/pki/crl/${authorityId}.crl`,
  /** POST with the request, or GET with it in base64 after a slash (RFC 6960, appendix A). */
  ocsp: '/pki/ocsp',
  /** The certificate of an authority, DER. */
  authority: (authorityId: string): string => `/pki/ca/${authorityId}.cer`,
} as const;

/** What certificates say of it; nothing without a public URL. */
export function publicationUrls(publicUrl: string, authorityId: string): PublicationUrls {
  if (publicUrl === '') return {};
  const base = publicUrl.replace(/\/+$/, '');
  return {
    crl: `${base}${PUBLICATION_PATHS.crl(authorityId)}`,
    ocsp: `${base}${PUBLICATION_PATHS.ocsp}`,
    authority: `${base}${PUBLICATION_PATHS.authority(authorityId)}`,
  };
}
