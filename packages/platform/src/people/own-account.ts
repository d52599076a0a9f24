import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Caller } from './caller.ts';
import type { Lockout } from './lockout.ts';
import type { PasswordHashes } from './password-hashes.ts';
import { ensureGoodPassword } from './password-rules.ts';
import type { Session, SessionCaller, Sessions } from './sessions.ts';
import { wordsOf } from './users.ts';

/** What users do with their own account; it needs no permission. */
export class OwnAccount {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;
  readonly #hashes: PasswordHashes;
  readonly #sessions: Sessions;
  readonly #lockout: Lockout;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly audit: AuditTrail;
    readonly hashes: PasswordHashes;
    readonly sessions: Sessions;
    readonly lockout: Lockout;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = dependencies.audit;
    this.#hashes = dependencies.hashes;
    this.#sessions = dependencies.sessions;
    this.#lockout = dependencies.lockout;
  }

  /** Newest first. @throws SelsynError `access.denied` when the caller is no user */
  async sessions(caller: Caller): Promise<readonly Session[]> {
    return await this.#sessions.listOf((await this.#user(caller)).id);
  }

  /** @throws SelsynError `session.not-found`, `access.denied` when the caller is no user */
  async endSession(id: string, caller: Caller): Promise<void> {
    await this.#sessions.end(await this.#user(caller), id, caller.actor);
  }

  /**
   * Ends all other sessions of the user. Wrong tries count as wrong sign-ins do.
   * @throws SelsynError `sign-in.failed`, `access.locked-out`, `password.refused`, `access.denied` when the caller is no user
   */
  async changePassword(
    { current, next }: { readonly current: string; readonly next: string },
    caller: SessionCaller,
  ): Promise<void> {
    const user = await this.#user(caller);
    const address = caller.actor.remoteAddress ?? '';
    const attempt = this.#lockout.begin({ account: user.name, address, familiar: true });
    if (!(await this.#hashes.verify(user.password_hash ?? undefined, current))) {
      throw new SelsynError('sign-in.failed', 'the current password is wrong');
    }
    attempt.succeeded();
    ensureGoodPassword(next, wordsOf(user));
    const hash = await this.#hashes.make(next);
    await this.#database.transaction().execute(async (transaction) => {
      await transaction
        .updateTable('user_account')
        .set({ password_hash: hash, password_changed_at_ms: this.#clock.now() })
        .where('id', '=', user.id)
        .execute();
      const ended = await this.#sessions.endAll(transaction, user.id, caller.sessionId);
      const object = { kind: 'user', id: user.name };
      await this.#audit.record(
        [
          {
            actor: caller.actor,
            action: 'user.set-password',
            object,
            group: user.group_path,
            after: { otherSessionsEnded: ended },
          },
        ],
        transaction,
      );
    });
  }

  async #user({ actor }: Caller): Promise<Schema['user_account']> {
    const user =
      actor.kind === 'user'
        ? await this.#database.selectFrom('user_account').selectAll().where('id', '=', actor.id).executeTakeFirst()
        : undefined;
    if (user === undefined) throw new SelsynError('access.denied', 'this is for users who have signed in, not for keys');
    return user;
  }
}
