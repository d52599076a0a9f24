/** How devices prove who they are, and what they may do. */
export interface AccessTables {
  readonly device_token: DeviceTokenTable;
  readonly policy: PolicyTable;
  readonly policy_attachment: PolicyAttachmentTable;
  readonly access_version: AccessVersionTable;
}

export interface PolicyTable {
  readonly name: string;
  readonly description: string;
  /** JSON. */
  readonly document: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** Whoever the target is, or stands in it, has the policy. */
export interface PolicyAttachmentTable {
  readonly policy_name: string;
  /** `group`, `type`, `device` or `credential`. */
  readonly target_kind: string;
  /** A path, a name, an id. */
  readonly target_id: string;
}

/** One row. Grows with every change of a policy or of what it is attached to, so that who has read them knows whether they still hold. */
export interface AccessVersionTable {
  readonly id: number;
  readonly version: number;
}

export interface DeviceTokenTable {
  readonly device_id: string;
  /** SHA-256 of the token: the token itself is never stored. */
  readonly token_hash: string;
  readonly created_at_ms: number;
  /** For SCRAM-SHA-256 (RFC 5802), bytes as base64url: all four, or null for a token given before they were kept. */
  readonly scram_salt: string | null;
  readonly scram_iterations: number | null;
  readonly scram_stored_key: string | null;
  readonly scram_server_key: string | null;
}
