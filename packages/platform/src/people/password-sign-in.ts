import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { MAX_FAILURES_IN_A_ROW, networkOf, type Lockout } from './lockout.ts';
import type { PasswordHashes } from './password-hashes.ts';
import type { NewSession, Sessions, SignInOrigin } from './sessions.ts';
import { nameOf } from './user.ts';

/**
 * Signing in by name and password.
 *
 * Whether the name is known, the account disabled or locked, or the password wrong: the answer is the same, and so is the time
 * that it takes, since a hash is computed in any case.
 */
export class PasswordSignIn {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;
  readonly #hashes: PasswordHashes;
  readonly #lockout: Lockout;
  readonly #sessions: Sessions;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly audit: AuditTrail;
    readonly hashes: PasswordHashes;
    readonly lockout: Lockout;
    readonly sessions: Sessions;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = dependencies.audit;
    this.#hashes = dependencies.hashes;
    this.#lockout = dependencies.lockout;
    this.#sessions = dependencies.sessions;
  }

  /** @throws SelsynError `sign-in.failed`, `access.locked-out`, `request.rate-limited` */
  async signIn(
    { name, password }: { readonly name: string; readonly password: string },
    origin: SignInOrigin,
  ): Promise<NewSession> {
    const account = nameOf(name);
    const { user, familiar } = await this.#find(account, origin.remoteAddress);
    const attempt = this.#lockout.begin({ account, address: origin.remoteAddress, familiar });
    const right = await this.#hashes.verify(user?.password_hash ?? undefined, password);
    // Read again: the account may have been disabled, or its password changed, while the hash was computed.
    const { user: now } = await this.#find(account, origin.remoteAddress);
    const refusal = refusalOf(now, { right: right && now?.password_hash === user?.password_hash, familiar });
    if (now === undefined || refusal !== undefined) {
      await this.#refused(now, { reason: refusal ?? 'unknown', failures: attempt.failures, familiar }, origin);
      throw new SelsynError('sign-in.failed', 'the name or the password is wrong, or the account may not sign in');
    }
    attempt.succeeded();
    return await this.#sessions.begin(now, 'password', origin);
  }

  async #find(account: string, remoteAddress: string) {
    const user = await this.#database.selectFrom('user_account').selectAll().where('name', '=', account).executeTakeFirst();
    const address = await this.#database
      .selectFrom('user_address')
      .select('at_ms')
      .where('user_id', '=', user?.id ?? '')
      .where('address', '=', networkOf(remoteAddress))
      .executeTakeFirst();
    return { user, familiar: address !== undefined };
  }

  /** A name that nobody has is not kept: people type their password there by mistake. */
  async #refused(
    user: Schema['user_account'] | undefined,
    { reason, failures, familiar }: { readonly reason: Refusal; readonly failures: number; readonly familiar: boolean },
    { remoteAddress }: SignInOrigin,
  ): Promise<void> {
    const actor = { kind: 'user', id: user?.id ?? NOBODY, name: user?.name ?? NOBODY, remoteAddress } as const;
    const about = { actor, object: { kind: 'user', id: actor.name }, group: user?.group_path ?? ROOT_GROUP };
    const locks = user !== undefined && failures === MAX_FAILURES_IN_A_ROW;
    await this.#database.transaction().execute(async (transaction) => {
      await this.#audit.record([{ ...about, action: 'session.refuse', after: { reason, failures } }], transaction);
      if (!locks) return;
      await transaction.updateTable('user_account').set({ locked_at_ms: this.#clock.now() }).where('id', '=', user.id).execute();
      // Guessed where the user signs in: there it is locked too.
      if (familiar) await transaction.deleteFrom('user_address').where('user_id', '=', user.id).execute();
      await this.#audit.record([{ ...about, action: 'user.lock', after: { failures } }], transaction);
    });
  }
}

/** No user can have this name. */
const NOBODY = '(unknown)';

type Refusal = 'unknown' | 'password' | 'disabled' | 'locked';

/** A locked account is still open to its user where they signed in before: who locks others out by guessing gains nothing. */
function refusalOf(
  user: Schema['user_account'] | undefined,
  { right, familiar }: { readonly right: boolean; readonly familiar: boolean },
): Refusal | undefined {
  if (user === undefined) return 'unknown';
  if (!right) return 'password';
  if (user.disabled !== 0) return 'disabled';
  return user.locked_at_ms !== null && !familiar ? 'locked' : undefined;
}
