/** People and programs that use the API, and what they may do. */
export interface PeopleTables {
  readonly user_account: UserTable;
  readonly user_session: UserSessionTable;
  readonly user_address: UserAddressTable;
  readonly role: RoleTable;
  readonly role_grant: RoleGrantTable;
  readonly api_key: ApiKeyTable;
  readonly access_key: AccessKeyTable;
}

export interface UserTable {
  readonly id: string;
  /** In lower case; unique. */
  readonly name: string;
  readonly display_name: string | null;
  /** Who administers the user: those with `users:write` at this node or above. */
  readonly group_path: string;
  /** Argon2id in the PHC format; null: signs in by OpenID Connect only. */
  readonly password_hash: string | null;
  readonly password_changed_at_ms: number | null;
  /** Both or neither. */
  readonly oidc_issuer: string | null;
  readonly oidc_subject: string | null;
  /** 1: signs in no more. */
  readonly disabled: number;
  /** Set after too many wrong passwords in a row, until an operator unlocks the account. */
  readonly locked_at_ms: number | null;
  readonly created_at_ms: number;
  readonly signed_in_at_ms: number | null;
}

export interface UserSessionTable {
  /** Names the session in lists; not what the browser has. */
  readonly id: string;
  readonly user_id: string;
  /** SHA-256 of what the browser has. */
  readonly token_hash: string;
  /** `password` or `oidc`. */
  readonly method: string;
  readonly remote_address: string;
  readonly user_agent: string;
  readonly created_at_ms: number;
  /** Of about the last request. */
  readonly seen_at_ms: number;
  /** It ends then, whatever is done with it. */
  readonly expires_at_ms: number;
}

/** Where users signed in from: guesses from elsewhere do not keep them out there. */
export interface UserAddressTable {
  readonly user_id: string;
  readonly address: string;
  readonly at_ms: number;
}

/** Roles besides those that are always there. */
export interface RoleTable {
  readonly name: string;
  readonly description: string;
  /** JSON: a list of permissions. */
  readonly permissions: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** A role that somebody has at a node of the group tree, and below it. */
export interface RoleGrantTable {
  /** `user`, `api-key` or `access-key`. */
  readonly holder_kind: string;
  readonly holder_id: string;
  readonly role: string;
  readonly group_path: string;
  /** `local`: given by somebody here. `oidc`: by what the identity provider said at the last sign-in. */
  readonly source: string;
  readonly created_at_ms: number;
}

export interface ApiKeyTable {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the key: the key itself is never stored. */
  readonly key_hash: string;
  /** How the key begins, to tell it from others; empty for keys of before. */
  readonly prefix: string;
  /** Who administers the key, as with users. */
  readonly group_path: string;
  readonly created_at_ms: number;
  /** Null: never. */
  readonly expires_at_ms: number | null;
  readonly used_at_ms: number | null;
}

/** A key that signs requests (AWS Signature V4). */
export interface AccessKeyTable {
  /** What requests name it by; no secret. */
  readonly id: string;
  readonly name: string;
  /** Whose it is; null: it has roles. */
  readonly device_id: string | null;
  /** Who administers it, as with users; for one of a device its group counts instead. */
  readonly group_path: string;
  /** The secret, which both sides must know, sealed with the data key `key_id`. */
  readonly sealed: string;
  readonly key_id: string;
  /** 1: it is refused until somebody enables it again. */
  readonly disabled: number;
  readonly created_at_ms: number;
  /** Null: never. */
  readonly expires_at_ms: number | null;
  readonly used_at_ms: number | null;
  /** For what it was used then, as requests say: `iotdata`. */
  readonly used_service: string | null;
}
