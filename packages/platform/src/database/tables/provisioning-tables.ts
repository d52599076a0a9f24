import type { Generated } from 'kysely';

/** How devices enrol. */
export interface ProvisioningTables {
  readonly provisioning_template: ProvisioningTemplateTable;
  readonly claim_batch: ClaimBatchTable;
  readonly manifest_entry: ManifestEntryTable;
  readonly certificate_ownership: CertificateOwnershipTable;
  readonly enrolment_quarantine: EnrolmentQuarantineTable;
  readonly enrolment_attempt: EnrolmentAttemptTable;
}

export interface ProvisioningTemplateTable {
  readonly name: string;
  /** JSON: all of the template but what stands in the other columns. */
  readonly definition: string;
  /** 1 or 0. */
  readonly enabled: number;
  /** The node of the group tree below which all its devices come to stand. */
  readonly group_path: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

export interface ClaimBatchTable {
  readonly name: string;
  readonly template: string;
  readonly max_count: number;
  readonly rate_per_minute: number;
  readonly expires_at_ms: number;
  /** Devices that enrolled with it. */
  readonly enrolled: number;
  readonly created_at_ms: number;
  /** Null: it is taken. */
  readonly stopped_at_ms: number | null;
}

/** A serial number that may enrol, once. */
export interface ManifestEntryTable {
  readonly template: string;
  readonly serial: string;
  /** The claim batch or token with which alone it may; null: any of the template. */
  readonly batch: string | null;
  /** SHA-256 of the public key (SPKI), base64url; null: any key. */
  readonly key_hash: string | null;
  /** SHA-256 of the HMAC that the device must show, base64url; null: none. */
  readonly proof_hash: string | null;
  readonly added_at_ms: number;
  readonly used_at_ms: number | null;
}

/** Who may have a certificate that was issued and belongs to no device yet. */
export interface CertificateOwnershipTable {
  /** SHA-256 of the token, base64url. */
  readonly token_hash: string;
  readonly certificate_id: string;
  /** The certificate with which it was asked for; of a device without one, `device:` and its id. */
  readonly asker: string;
  readonly claim_batch: string | null;
  readonly client_id: string;
  readonly remote_address: string;
  /** JSON: what was done so far, for the trace. */
  readonly steps: string;
  readonly created_at_ms: number;
  readonly used_at_ms: number | null;
}

/** A serial number that enrolled again. */
export interface EnrolmentQuarantineTable {
  readonly template: string;
  readonly serial: string;
  readonly device_id: string;
  readonly group_path: string;
  /** `waiting`, `released` (it may once more), `enrolled` (it did), `refused`. */
  readonly status: string;
  /** For people. */
  readonly reason: string;
  readonly door: string;
  readonly claim_batch: string | null;
  readonly client_id: string | null;
  readonly remote_address: string | null;
  /** How often it came. */
  readonly attempts: number;
  readonly first_at_ms: number;
  readonly last_at_ms: number;
  readonly resolved_at_ms: number | null;
  /** For people: who decided. */
  readonly resolved_by: string | null;
}

export interface EnrolmentAttemptTable {
  readonly id: Generated<number>;
  readonly at_ms: number;
  /** `claim`, `rotation`, `token`, `est`, `just-in-time`. */
  readonly door: string;
  /** `enrolled`, `renewed`, `refused`, `quarantined`, `abandoned`. */
  readonly outcome: string;
  /** Why it was refused, for programs; null: it was not. */
  readonly reason: string | null;
  readonly template: string | null;
  readonly serial: string | null;
  readonly device_id: string | null;
  readonly certificate_id: string | null;
  readonly claim_batch: string | null;
  readonly client_id: string | null;
  readonly remote_address: string | null;
  /** Who may see it: those who see this group. */
  readonly group_path: string;
  /** JSON: an array of texts, in order. */
  readonly steps: string;
}
