import type { Generated } from 'kysely';

/** Authorities and certificates. */
export interface CertificateTables {
  readonly authority: AuthorityTable;
  readonly authority_registration: AuthorityRegistrationTable;
  readonly certificate: CertificateTable;
}

/** Who signs certificates that are taken here: this server's own authorities, and those that were registered. */
export interface AuthorityTable {
  /** SHA-256 of its certificate, hex. */
  readonly id: string;
  /** `own` or `registered`. */
  readonly kind: string;
  /** `active`, `inactive` or `revoked`. */
  readonly status: string;
  readonly subject: string;
  /** Its subject key identifier, hex: certificates name their issuer by it. */
  readonly key_id: string;
  readonly der: Uint8Array;
  readonly not_before_ms: number;
  readonly not_after_ms: number;
  readonly created_at_ms: number;
  /** Of a registered one: by which template its devices are registered when they first connect; null: they are not. */
  readonly template: string | null;
  readonly revoked_at_ms: number | null;
  /** Of the last CRL that was signed; 0: none was. */
  readonly crl_number: Generated<number>;
}

/** A code that somebody is to have signed by the authority that they want to register. */
export interface AuthorityRegistrationTable {
  readonly code: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
}

export interface CertificateTable {
  /** SHA-256 of the certificate, hex. */
  readonly id: string;
  /** Null for a claim, and until it is known whose it is. No foreign key: it is still to be listed as revoked when the device is gone. */
  readonly device_id: string | null;
  /** `device` or `claim`. */
  readonly purpose: string;
  /** `pending`, `active` or `revoked`. */
  readonly status: string;
  readonly authority_id: string;
  /** Hex, lower case, an even number of digits, without leading zero bytes. */
  readonly serial: string;
  readonly subject: string;
  /** SHA-256 of the public key (SPKI), base64url. */
  readonly key_hash: string;
  /** `P-256`, `RSA-2048`, ... */
  readonly key_kind: string;
  readonly not_before_ms: number;
  readonly not_after_ms: number;
  readonly created_at_ms: number;
  readonly activated_at_ms: number | null;
  /** When its holder first connected with it. */
  readonly first_used_at_ms: number | null;
  readonly revoked_at_ms: number | null;
  readonly revocation_reason: string | null;
  /** Of a claim. */
  readonly claim_batch: string | null;
  /** When the server is to look at it next: a pending one is deleted, a renewal is asked for, an end has come. Null: never. */
  readonly due_ms: number | null;
  readonly der: Uint8Array;
}
