import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { ApiKeys } from './api-keys.ts';
import { GrantStore } from './grant-store.ts';
import { Identities } from './identities.ts';
import { Lockout } from './lockout.ts';
import { OidcSignIn, type OidcSettings } from './oidc-sign-in.ts';
import { OidcUsers } from './oidc-users.ts';
import { OwnAccount } from './own-account.ts';
import { PasswordHashes } from './password-hashes.ts';
import { PasswordSignIn } from './password-sign-in.ts';
import { RoleStore } from './role-store.ts';
import { SealedText } from './sealed-text.ts';
import { Sessions, type SessionLimits } from './sessions.ts';
import { Users } from './users.ts';

/** Everything about people and programs that use the API. */
export interface People {
  readonly identities: Identities;
  readonly apiKeys: ApiKeys;
  readonly users: Users;
  readonly roles: RoleStore;
  readonly sessions: Sessions;
  readonly passwordSignIn: PasswordSignIn;
  readonly ownAccount: OwnAccount;
  /** Undefined: no identity provider is configured. */
  readonly oidcSignIn: OidcSignIn | undefined;
  /** Seals what callers carry for the server from one page of a list to the next. */
  readonly sealedCursors: SealedText;
}

export interface PeopleDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly audit: AuditTrail;
  readonly adminKey: string;
  readonly sessionLimits: SessionLimits;
  readonly oidc: OidcSettings | undefined;
  readonly logLines: Pick<LogLines, 'warn'>;
  /** The server's secret `api-seal`: the same for all threads and nodes. */
  readonly sealSecret: string;
}

/** Puts it together over a database that is up to date. */
export async function openPeople({
  adminKey,
  sessionLimits,
  oidc,
  logLines,
  sealSecret: secret,
  ...basics
}: PeopleDependencies): Promise<People> {
  const { random } = basics;
  const roles = new RoleStore(basics);
  const grants = new GrantStore(basics);
  const hashes = new PasswordHashes();
  const lockout = new Lockout(basics);
  const apiKeys = new ApiKeys({ ...basics, roles, grants, adminKey });
  const sessions = new Sessions({ ...basics, limits: sessionLimits });
  const oidcUsers = new OidcUsers({ ...basics, grants, roles });
  const sealed = new SealedText({ secret, purpose: 'oidc', random });
  return {
    apiKeys,
    roles,
    sessions,
    identities: new Identities({ apiKeys, sessions }),
    users: new Users({ ...basics, roles, grants, hashes, sessions, lockout }),
    passwordSignIn: new PasswordSignIn({ ...basics, hashes, lockout, sessions }),
    ownAccount: new OwnAccount({ ...basics, hashes, sessions, lockout }),
    oidcSignIn:
      oidc === undefined
        ? undefined
        : new OidcSignIn({ ...basics, settings: oidc, users: oidcUsers, sessions, sealed, logLines }),
    sealedCursors: new SealedText({ secret, purpose: 'cursor', random }),
  };
}
