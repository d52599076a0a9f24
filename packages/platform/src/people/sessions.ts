import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { hashSecret, newSecret, type RandomBytes } from '../kernel/secret.ts';
import type { Caller } from './caller.ts';
import { grantOf } from './grant-store.ts';
import { networkOf } from './lockout.ts';
import { NotedTimes } from './noted-times.ts';
import { PreparedLookup } from '../database/prepared-lookup.ts';

/** A user who is signed in somewhere. */
export interface Session {
  readonly id: string;
  readonly method: SignInMethod;
  readonly remoteAddress: string;
  readonly userAgent: string;
  readonly createdAtMs: number;
  /** To the minute. */
  readonly seenAtMs: number;
  /** When it ends at the latest. */
  readonly expiresAtMs: number;
}

export type SignInMethod = 'password' | 'oidc';

/** A session with the token that the browser keeps: shown this once. */
export interface NewSession extends Session {
  readonly token: string;
}

/** A caller with the session that they came by. */
export interface SessionCaller extends Caller {
  readonly sessionId: string;
}

export interface SessionLimits {
  /** Without a request for so long, a session ends. */
  readonly idleMs: number;
  /** However much it is used, it ends then. */
  readonly maxMs: number;
}

/** Where a request to sign in comes from. */
export interface SignInOrigin {
  readonly remoteAddress: string;
  readonly userAgent: string;
}

export const SESSION_START = 'selsyn_ses_';
const MAX_TOKEN_LENGTH = 128;
const MAX_SESSIONS = 20;
const MAX_ADDRESSES = 20;
const MAX_USER_AGENT_LENGTH = 200;
const ID_BYTES = 9;
const SEEN_EVERY_MS = 60_000;

/** The sessions of users. Only the hash of what the browser has is kept. */
export class Sessions {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #audit: AuditTrail;
  readonly #limits: SessionLimits;
  readonly #byHash: PreparedLookup<SessionRow>;
  readonly #seen = new NotedTimes(SEEN_EVERY_MS);

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly audit: AuditTrail;
    readonly limits: SessionLimits;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#audit = dependencies.audit;
    this.#limits = dependencies.limits;
    this.#byHash = new PreparedLookup(this.#database, (hash) => sessionQuery(this.#database, hash));
  }

  /** Begins a session of a user who has proved who they are. Beyond 20 of them the oldest ones end. */
  async begin(
    user: Pick<Schema['user_account'], 'id' | 'name' | 'group_path'>,
    method: SignInMethod,
    { remoteAddress, userAgent }: SignInOrigin,
  ): Promise<NewSession> {
    const nowMs = this.#clock.now();
    const token = SESSION_START + newSecret(this.#random);
    const row = {
      id: Buffer.from(this.#random(ID_BYTES)).toString('base64url'),
      user_id: user.id,
      token_hash: hashSecret(token),
      method,
      remote_address: remoteAddress.slice(0, 64),
      user_agent: userAgent.slice(0, MAX_USER_AGENT_LENGTH),
      created_at_ms: nowMs,
      seen_at_ms: nowMs,
      expires_at_ms: nowMs + this.#limits.maxMs,
    };
    await inTransaction(this.#database, async (transaction) => {
      await this.#makeRoom(transaction, user.id, nowMs);
      await transaction.insertInto('user_session').values(row).execute();
      await transaction.updateTable('user_account').set({ signed_in_at_ms: nowMs }).where('id', '=', user.id).execute();
      await keepAddress(transaction, user.id, networkOf(remoteAddress), nowMs);
      const actor = { kind: 'user', id: user.id, name: user.name, remoteAddress } as const;
      await this.#record(transaction, 'session.begin', actor, user, { session: row.id, method, userAgent: row.user_agent });
    });
    return { ...fromRow(row), token };
  }

  /** Who has this token; undefined when it is none, or not any more. */
  async authenticate(
    token: string,
    remoteAddress?: string,
    purpose: 'use' | 'renewal' = 'use',
  ): Promise<SessionCaller | undefined> {
    if (token.length > MAX_TOKEN_LENGTH || !token.startsWith(SESSION_START)) return undefined;
    const nowMs = this.#clock.now();
    const rows = await this.#byHash.find(hashSecret(token));
    const [row] = rows;
    if (row === undefined) return undefined;
    const seenAtMs = Number(row.seen_at_ms);
    if (nowMs >= Number(row.expires_at_ms) || nowMs - seenAtMs >= this.#limits.idleMs) return undefined;
    if (purpose === 'use' && this.#seen.due(row.session, seenAtMs, nowMs)) {
      await this.#database.updateTable('user_session').set({ seen_at_ms: nowMs }).where('id', '=', row.session).execute();
    }
    const grants = rows.flatMap(({ role, group_path, source, permissions }) =>
      role === null || group_path === null || source === null ? [] : [grantOf({ role, group_path, source, permissions })],
    );
    return { actor: { kind: 'user', id: row.id, name: row.name, remoteAddress }, grants, sessionId: row.session };
  }

  /** Those that have not ended, newest first. */
  async listOf(userId: string): Promise<readonly Session[]> {
    const nowMs = this.#clock.now();
    const rows = await this.#database
      .selectFrom('user_session')
      .selectAll()
      .where('user_id', '=', userId)
      .where('expires_at_ms', '>', nowMs)
      .where('seen_at_ms', '>', nowMs - this.#limits.idleMs)
      .orderBy('created_at_ms', 'desc')
      .execute();
    return rows.map(fromRow);
  }

  /** Ends one session of a user. @throws SelsynError `session.not-found` */
  async end(user: { readonly id: string; readonly name: string; readonly group_path: string }, id: string, actor: Actor) {
    await inTransaction(this.#database, async (transaction) => {
      const deleted = await transaction
        .deleteFrom('user_session')
        .where('id', '=', id)
        .where('user_id', '=', user.id)
        .executeTakeFirst();
      if (deleted.numDeletedRows === 0n) {
        throw new SelsynError('session.not-found', `there is no session ${id}`, { details: { id } });
      }
      await this.#record(transaction, 'session.end', actor, user, { session: id });
    });
  }

  /** Ends all sessions of a user, but perhaps one. @returns how many there were. */
  async endAll(transaction: Database, userId: string, except?: string): Promise<number> {
    let sessions = transaction.deleteFrom('user_session').where('user_id', '=', userId);
    if (except !== undefined) sessions = sessions.where('id', '!=', except);
    return Number((await sessions.executeTakeFirst()).numDeletedRows);
  }

  async #makeRoom(transaction: Database, userId: string, nowMs: number): Promise<void> {
    await transaction.deleteFrom('user_session').where('expires_at_ms', '<=', nowMs).execute();
    const rows = await transaction
      .selectFrom('user_session')
      .select('id')
      .where('user_id', '=', userId)
      .orderBy('created_at_ms', 'desc')
      .orderBy('id')
      .execute();
    const over = rows.slice(MAX_SESSIONS - 1).map((row) => row.id);
    if (over.length > 0) await transaction.deleteFrom('user_session').where('id', 'in', over).execute();
  }

  async #record(
    transaction: Database,
    action: string,
    actor: Actor,
    user: { readonly name: string; readonly group_path: string },
    after: unknown,
  ): Promise<void> {
    await this.#audit.record(
      [{ actor, action, object: { kind: 'user', id: user.name }, group: user.group_path, after }],
      transaction,
    );
  }
}

/** A session of a user who is not disabled, with one of the user's grants, or with none. */
type SessionRow = Awaited<ReturnType<ReturnType<typeof sessionQuery>['execute']>>[number];

function sessionQuery(database: Database, hash: string) {
  return database
    .selectFrom('user_session')
    .innerJoin('user_account', 'user_account.id', 'user_session.user_id')
    .leftJoin('role_grant', (join) =>
      join.onRef('role_grant.holder_id', '=', 'user_account.id').on('role_grant.holder_kind', '=', 'user'),
    )
    .leftJoin('role', 'role.name', 'role_grant.role')
    .select(['user_session.id as session', 'seen_at_ms', 'expires_at_ms'])
    .select(['user_account.id as id', 'user_account.name as name'])
    .select(['role_grant.role as role', 'role_grant.group_path as group_path', 'source', 'permissions'])
    .where('token_hash', '=', hash)
    .where('disabled', '=', 0);
}

/** The newest 20: guesses from elsewhere do not keep the user out there. */
async function keepAddress(transaction: Database, userId: string, address: string, nowMs: number): Promise<void> {
  await transaction
    .insertInto('user_address')
    .values({ user_id: userId, address, at_ms: nowMs })
    .onConflict((conflict) => conflict.columns(['user_id', 'address']).doUpdateSet({ at_ms: nowMs }))
    .execute();
  const rows = await transaction
    .selectFrom('user_address')
    .select('address')
    .where('user_id', '=', userId)
    .orderBy('at_ms', 'desc')
    .execute();
  const over = rows.slice(MAX_ADDRESSES).map((row) => row.address);
  if (over.length > 0) {
    await transaction.deleteFrom('user_address').where('user_id', '=', userId).where('address', 'in', over).execute();
  }
}

function fromRow(row: Omit<Schema['user_session'], 'user_id' | 'token_hash'>): Session {
  return {
    id: row.id,
    method: row.method === 'oidc' ? 'oidc' : 'password',
    remoteAddress: row.remote_address,
    userAgent: row.user_agent,
    createdAtMs: Number(row.created_at_ms),
    seenAtMs: Number(row.seen_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
  };
}
