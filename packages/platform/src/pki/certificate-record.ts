import type { Schema } from '../database/schema.ts';
import type { CertificateId, KeyKind, RevocationReason } from './signing.ts';

/** `device`: connects as its device. `claim`: connects only to ask for a certificate of its own. */
export type CertificatePurpose = 'device' | 'claim';

/** `pending`: signed, but nobody gets in with it yet. A pending one becomes active or is deleted; an active one becomes revoked. */
export type CertificateStatus = 'pending' | 'active' | 'revoked';

/** What the registry keeps of a certificate, but for its bytes. */
export interface Certificate {
  readonly id: CertificateId;
  readonly purpose: CertificatePurpose;
  readonly status: CertificateStatus;
  /** Of a pending one, where it is known whose it becomes. */
  readonly deviceId?: string;
  readonly claimBatch?: string;
  readonly authorityId: CertificateId;
  /** Hex, lower case. */
  readonly serial: string;
  readonly subject: string;
  /** SHA-256 of the SPKI, base64url. */
  readonly keyHash: string;
  readonly keyKind: KeyKind;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly createdAtMs: number;
  readonly activatedAtMs?: number;
  /** When its holder first connected with it. */
  readonly firstUsedAtMs?: number;
  readonly revokedAtMs?: number;
  readonly revocationReason?: RevocationReason;
}

export const REVOCATION_REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
] as const satisfies readonly RevocationReason[];

/** All columns but the bytes of the certificate. */
export const CERTIFICATE_COLUMNS = [
  'id',
  'device_id',
  'purpose',
  'status',
  'authority_id',
  'serial',
  'subject',
  'key_hash',
  'key_kind',
  'not_before_ms',
  'not_after_ms',
  'created_at_ms',
  'activated_at_ms',
  'first_used_at_ms',
  'revoked_at_ms',
  'revocation_reason',
  'claim_batch',
  'due_ms',
] as const satisfies readonly (keyof Schema['certificate'])[];

export type CertificateRow = Pick<Schema['certificate'], (typeof CERTIFICATE_COLUMNS)[number]>;

export function certificateOf(row: CertificateRow): Certificate {
  return {
    id: row.id,
    purpose: row.purpose === 'claim' ? 'claim' : 'device',
    status: row.status as CertificateStatus,
    ...(row.device_id !== null && { deviceId: row.device_id }),
    ...(row.claim_batch !== null && { claimBatch: row.claim_batch }),
    authorityId: row.authority_id,
    serial: row.serial,
    subject: row.subject,
    keyHash: row.key_hash,
    keyKind: row.key_kind as KeyKind,
    notBeforeMs: Number(row.not_before_ms),
    notAfterMs: Number(row.not_after_ms),
    createdAtMs: Number(row.created_at_ms),
    ...(row.activated_at_ms !== null && { activatedAtMs: Number(row.activated_at_ms) }),
    ...(row.first_used_at_ms !== null && { firstUsedAtMs: Number(row.first_used_at_ms) }),
    ...(row.revoked_at_ms !== null && { revokedAtMs: Number(row.revoked_at_ms) }),
    ...(row.revocation_reason !== null && { revocationReason: row.revocation_reason as RevocationReason }),
  };
}

/** As whom the holder of a claim certificate is connected (see identity/claim-principal.ts). No device id has a slash. */
export function claimPrincipalId(certificateId: CertificateId): string {
  return `claim/${certificateId.slice(0, 16)}`;
}

/** As whom its holder is connected; undefined for one that lets nobody in. */
export function principalOf({ id, purpose, deviceId }: Certificate): string | undefined {
  return purpose === 'claim' ? claimPrincipalId(id) : deviceId;
}

/** What of it stands in the audit trail. */
export function auditOf(certificate: Certificate): Record<string, unknown> {
  const { status, purpose, deviceId, claimBatch, serial, authorityId, keyHash, keyKind, notAfterMs, revocationReason } =
    certificate;
  return { status, purpose, deviceId, claimBatch, serial, authorityId, keyHash, keyKind, notAfterMs, revocationReason };
}

/** Serial numbers as people and tools write them (`0A:1b…`, upper case, a leading zero) in our form; undefined for what is none. */
export function readSerial(text: string): string | undefined {
  const digits = text.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(digits)) return undefined;
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return even.replace(/^(00)+(?=..)/, '');
}
