import type { ApiClient, Query } from './client.ts';
import { asObject, number, optionalNumber, optionalText, text, type Json } from './json.ts';
import { pageOf, type Page } from './page.ts';

export interface Certificate {
  /** SHA-256 of the certificate, hex. */
  readonly id: string;
  readonly device: string | undefined;
  readonly purpose: string;
  /** `pending`, `active`, `revoked`. */
  readonly status: string;
  readonly claimBatch: string | undefined;
  readonly serial: string;
  readonly keyKind: string;
  readonly notAfterMs: number;
  readonly createdAtMs: number;
  readonly firstUsedAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
  readonly revocationReason: string | undefined;
}

export interface IssuedCertificate {
  readonly certificateId: string;
  readonly device: string;
  readonly certificatePem: string;
  readonly chainPem: string;
  readonly caPem: string;
  /** Where the key was made by the server: shown this once. */
  readonly privateKeyPem: string | undefined;
  readonly notAfterMs: number;
}

/** RFC 5280, section 5.3.1, in words for people. */
export const REVOCATION_REASONS = [
  ['unspecified', 'Not specified'],
  ['keyCompromise', 'The key may be known to others'],
  ['superseded', 'Another certificate takes its place'],
  ['cessationOfOperation', 'The device is out of operation'],
  ['affiliationChanged', 'The device belongs to somebody else'],
  ['privilegeWithdrawn', 'The device may not connect any more'],
  ['cACompromise', 'The key of the authority may be known to others'],
] as const;

const PAGE_SIZE = 50;

export async function fetchCertificates(
  client: ApiClient,
  query: Query,
  cursor: string | undefined,
  signal?: AbortSignal,
): Promise<Page<Certificate>> {
  const asked = { ...query, cursor, limit: PAGE_SIZE };
  return pageOf(await client.get('/certificates', { query: asked, signal }), 'certificates', certificateFrom);
}

/** @param draft without a certificate request (CSR, PEM) the server makes a key; without days it is good as long as usual. */
export async function issueCertificate(
  client: ApiClient,
  device: string,
  draft: { readonly csrPem?: string; readonly days?: number },
): Promise<IssuedCertificate> {
  const body = asObject(await client.post(`/devices/${encodeURIComponent(device)}/certificates`, draft), 'certificate');
  return {
    certificateId: text(body, 'certificateId'),
    device: text(body, 'device'),
    certificatePem: text(body, 'certificatePem'),
    chainPem: text(body, 'chainPem'),
    caPem: text(body, 'caPem'),
    privateKeyPem: optionalText(body, 'privateKeyPem'),
    notAfterMs: number(body, 'notAfterMs'),
  };
}

export async function revokeCertificate(client: ApiClient, id: string, reason: string): Promise<Certificate> {
  return certificateFrom(asObject(await client.post(`/certificates/${id}/revoke`, { reason }), 'certificate'));
}

function certificateFrom(source: Json): Certificate {
  return {
    id: text(source, 'id'),
    device: optionalText(source, 'device'),
    purpose: text(source, 'purpose'),
    status: text(source, 'status'),
    claimBatch: optionalText(source, 'claimBatch'),
    serial: text(source, 'serial'),
    keyKind: text(source, 'keyKind'),
    notAfterMs: number(source, 'notAfterMs'),
    createdAtMs: number(source, 'createdAtMs'),
    firstUsedAtMs: optionalNumber(source, 'firstUsedAtMs'),
    revokedAtMs: optionalNumber(source, 'revokedAtMs'),
    revocationReason: optionalText(source, 'revocationReason'),
  };
}
