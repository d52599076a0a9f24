import type { Schema } from '../database/schema.ts';
import { pemOf } from './pem.ts';
import type { CertificateId } from './signing.ts';

/**
 * `active`: devices with certificates of it may register themselves, where it names a template. `inactive`: no new ones, those that are
 * registered go on. `revoked`: not to be trusted any more, for good.
 */
export type AuthorityStatus = 'active' | 'inactive' | 'revoked';

/** Who signs certificates that are taken here. */
export interface AuthorityRecord {
  readonly id: CertificateId;
  /** `own`: its key is, or was, here. `registered`: somebody else's. */
  readonly kind: 'own' | 'registered';
  readonly status: AuthorityStatus;
  readonly subject: string;
  /** Subject key identifier, hex; empty where it has none. */
  readonly keyId: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly createdAtMs: number;
  /** By which provisioning template its devices are registered when they first connect. */
  readonly template?: string;
  readonly revokedAtMs?: number;
  readonly certificatePem: string;
}

export function authorityOf(row: Omit<Schema['authority'], 'crl_number'>): AuthorityRecord {
  return {
    id: row.id,
    kind: row.kind === 'own' ? 'own' : 'registered',
    status: row.status as AuthorityStatus,
    subject: row.subject,
    keyId: row.key_id,
    notBeforeMs: Number(row.not_before_ms),
    notAfterMs: Number(row.not_after_ms),
    createdAtMs: Number(row.created_at_ms),
    ...(row.template !== null && { template: row.template }),
    ...(row.revoked_at_ms !== null && { revokedAtMs: Number(row.revoked_at_ms) }),
    certificatePem: pemOf('CERTIFICATE', row.der),
  };
}

/** What of it stands in the audit trail. */
export function auditOfAuthority({ kind, status, subject, template, notAfterMs }: AuthorityRecord): Record<string, unknown> {
  return { kind, status, subject, template, notAfterMs };
}
