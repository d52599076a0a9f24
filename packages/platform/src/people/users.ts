import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { parseGroupPath, ROOT_GROUP } from '../registry/group-path.ts';
import { decodePageCursor, encodePageCursor } from '../registry/page-cursor.ts';
import type { Scope } from '../registry/scope.ts';
import { mayAt, type Caller } from './caller.ts';
import { administers, ensureHasNoLess, ensureMayGive } from './delegation.ts';
import type { GrantStore, Holder, RoleAt, RoleGrant } from './grant-store.ts';
import type { Lockout } from './lockout.ts';
import type { PasswordHashes } from './password-hashes.ts';
import { ensureGoodPassword } from './password-rules.ts';
import type { Permission } from './permissions.ts';
import type { RoleStore } from './role-store.ts';
import type { Session, Sessions } from './sessions.ts';
import { noUser, parseUserName, nameOf, type User } from './user.ts';
import { withinScope } from './within-scope.ts';

export interface UserDraft {
  readonly name: string;
  readonly displayName?: string | undefined;
  readonly group?: string | undefined;
  /** Without one, the user signs in by OpenID Connect, or once a password is set. */
  readonly password?: string | undefined;
  readonly grants: readonly RoleAt[];
}

export interface UserPatch {
  /** null takes it away. */
  readonly displayName?: string | null | undefined;
  readonly group?: string | undefined;
  readonly disabled?: boolean | undefined;
}

export interface UserPage {
  /** By name. */
  readonly items: readonly User[];
  readonly cursor?: string;
}

type Row = Schema['user_account'];

const ID_BYTES = 12;

/** The users, as those see and change them who administer people. delegation.ts says who may change whom. */
export class Users {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #audit: AuditTrail;
  readonly #roles: RoleStore;
  readonly #grants: GrantStore;
  readonly #hashes: PasswordHashes;
  readonly #sessions: Sessions;
  readonly #lockout: Lockout;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly audit: AuditTrail;
    readonly roles: RoleStore;
    readonly grants: GrantStore;
    readonly hashes: PasswordHashes;
    readonly sessions: Sessions;
    readonly lockout: Lockout;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#audit = dependencies.audit;
    this.#roles = dependencies.roles;
    this.#grants = dependencies.grants;
    this.#hashes = dependencies.hashes;
    this.#sessions = dependencies.sessions;
    this.#lockout = dependencies.lockout;
  }

  /** @throws SelsynError `user.exists`, `password.refused`, `access.denied`, `role.not-found`, `request.invalid` */
  async create(draft: UserDraft, caller: Caller): Promise<User> {
    const name = parseUserName(draft.name);
    const group = parseGroupPath(draft.group ?? ROOT_GROUP);
    ensureAdministers(caller, group);
    if (draft.password !== undefined) ensureGoodPassword(draft.password, wordsOf({ name, display_name: draft.displayName }));
    // Slow, and so before the transaction.
    const hash = draft.password === undefined ? null : await this.#hashes.make(draft.password);
    const row = newRow({ id: this.#newId(), name, displayName: draft.displayName, group, hash, nowMs: this.#clock.now() });
    return await inTransaction(this.#database, async (transaction) => {
      await insertUser(transaction, row);
      await this.#record(transaction, caller.actor, 'user.create', row, { after: shown(row) });
      for (const roleAt of draft.grants) await this.#give(transaction, row, roleAt, caller);
      return await this.#shownWithGrants(transaction, row);
    });
  }

  /** @throws SelsynError `user.not-found` */
  async get(name: string, caller: Caller): Promise<User> {
    return await this.#shownWithGrants(this.#database, await this.#visible(this.#database, name, caller, 'users:read'));
  }

  /** @throws SelsynError `request.invalid` for a cursor that is none */
  async list(query: {
    readonly prefix?: string | undefined;
    readonly scope: Scope;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<UserPage> {
    let users = this.#database.selectFrom('user_account').selectAll().where(withinScope('group_path', query.scope));
    const prefix = query.prefix === undefined ? '' : nameOf(query.prefix);
    if (prefix !== '') users = users.where('name', '>=', prefix).where('name', '<', `${prefix}\u{10ffff}`);
    if (query.cursor !== undefined) users = users.where('name', '>', decodePageCursor(query.cursor));
    const rows = await users
      .orderBy('name')
      .limit(query.limit + 1)
      .execute();
    const page = rows.slice(0, query.limit);
    const ids = page.map((row) => row.id);
    const grants = await this.#grants.listOf(this.#database, 'user', ids);
    const items = page.map((row) => fromRow(row, grants.get(row.id) ?? []));
    const last = page.at(-1);
    return rows.length > query.limit && last !== undefined ? { items, cursor: encodePageCursor(last.name) } : { items };
  }

  /** A user who is disabled is signed out at once. @throws SelsynError `user.not-found`, `access.denied`, `request.invalid` */
  async update(name: string, patch: UserPatch, caller: Caller): Promise<User> {
    return await this.#change(name, caller, async (transaction, row) => {
      const changed = {
        display_name: patch.displayName === undefined ? row.display_name : patch.displayName,
        group_path: patch.group === undefined ? row.group_path : parseGroupPath(patch.group),
        disabled: patch.disabled === undefined ? row.disabled : Number(patch.disabled),
      };
      ensureAdministers(caller, changed.group_path);
      const after = { ...row, ...changed };
      await transaction.updateTable('user_account').set(changed).where('id', '=', row.id).execute();
      if (changed.disabled !== 0) await this.#sessions.endAll(transaction, row.id);
      await this.#record(transaction, caller.actor, 'user.update', after, { before: shown(row), after: shown(after) });
      return after;
    });
  }

  /** Ends the user's sessions. @throws SelsynError `user.not-found`, `access.denied`, `password.refused` */
  async setPassword(name: string, password: string, caller: Caller): Promise<void> {
    const before = await this.#visible(this.#database, name, caller, 'users:write');
    ensureGoodPassword(password, wordsOf(before));
    const hash = await this.#hashes.make(password);
    await this.#change(name, caller, async (transaction, row) => {
      const changed = { password_hash: hash, password_changed_at_ms: this.#clock.now(), locked_at_ms: null };
      await transaction.updateTable('user_account').set(changed).where('id', '=', row.id).execute();
      await this.#sessions.endAll(transaction, row.id);
      await this.#record(transaction, caller.actor, 'user.set-password', row, {});
      return { ...row, ...changed };
    });
    this.#lockout.unlock(before.name);
  }

  /** Lets a user try again who guessed, or was guessed at, too often. @throws SelsynError `user.not-found`, `access.denied` */
  async unlock(name: string, caller: Caller): Promise<void> {
    await this.#change(name, caller, async (transaction, row) => {
      await transaction.updateTable('user_account').set({ locked_at_ms: null }).where('id', '=', row.id).execute();
      await this.#record(transaction, caller.actor, 'user.unlock', row, {});
      return { ...row, locked_at_ms: null };
    });
    this.#lockout.unlock(nameOf(name));
  }

  /** Also ends the sessions. @throws SelsynError `user.not-found`, `access.denied` */
  async remove(name: string, caller: Caller): Promise<void> {
    await this.#change(name, caller, async (transaction, row) => {
      await this.#grants.takeAll(transaction, holderOf(row), caller.actor);
      await transaction.deleteFrom('user_account').where('id', '=', row.id).execute();
      await this.#record(transaction, caller.actor, 'user.delete', row, { before: shown(row) });
      return row;
    });
  }

  /** @throws SelsynError `user.not-found`, `role.not-found`, `access.denied`, `request.invalid`, `request.too-large` */
  async grant(name: string, roleAt: RoleAt, caller: Caller): Promise<User> {
    return await this.#change(name, caller, async (transaction, row) => {
      await this.#give(transaction, row, roleAt, caller);
      return row;
    });
  }

  /** What the identity provider gave is taken back there. @throws SelsynError `user.not-found`, `grant.not-found`, `access.denied` */
  async revoke(name: string, roleAt: RoleAt, caller: Caller): Promise<User> {
    return await this.#change(name, caller, async (transaction, row) => {
      await this.#grants.take(transaction, holderOf(row), roleAt, { source: 'local', actor: caller.actor });
      return row;
    });
  }

  /** @throws SelsynError `user.not-found` */
  async sessionsOf(name: string, caller: Caller): Promise<readonly Session[]> {
    return await this.#sessions.listOf((await this.#visible(this.#database, name, caller, 'users:read')).id);
  }

  /** Signs a user out everywhere. @throws SelsynError `user.not-found`, `access.denied` */
  async endSessions(name: string, caller: Caller): Promise<void> {
    await this.#change(name, caller, async (transaction, row) => {
      const ended = await this.#sessions.endAll(transaction, row.id);
      await this.#record(transaction, caller.actor, 'session.end-all', row, { after: { ended } });
      return row;
    });
  }

  async #give(transaction: Database, row: Row, roleAt: RoleAt, caller: Caller): Promise<void> {
    const role = await this.#roles.get(roleAt.role, transaction);
    ensureMayGive(caller, ['users:write', ...role.permissions], parseGroupPath(roleAt.group));
    await this.#grants.give(transaction, holderOf(row), roleAt, { source: 'local', actor: caller.actor });
  }

  /** One change of a user whom the caller administers and who has no more than the caller. */
  async #change(name: string, caller: Caller, work: (transaction: Database, row: Row) => Promise<Row>): Promise<User> {
    return await inTransaction(this.#database, async (transaction) => {
      const row = await this.#visible(transaction, name, caller, 'users:write');
      ensureHasNoLess(caller, await this.#grants.of(transaction, holderOf(row)), row.name);
      return await this.#shownWithGrants(transaction, await work(transaction, row));
    });
  }

  async #visible(database: Database, name: string, caller: Caller, permission: Permission): Promise<Row> {
    const row = await database.selectFrom('user_account').selectAll().where('name', '=', nameOf(name)).executeTakeFirst();
    if (row === undefined || !administers(caller, permission, row.group_path)) throw noUser(name);
    return row;
  }

  async #shownWithGrants(database: Database, row: Row): Promise<User> {
    return fromRow(row, await this.#grants.of(database, holderOf(row)));
  }

  #newId(): string {
    return Buffer.from(this.#random(ID_BYTES)).toString('base64url');
  }

  async #record(
    transaction: Database,
    actor: Actor,
    action: string,
    row: Row,
    change: { readonly before?: unknown; readonly after?: unknown },
  ): Promise<void> {
    const object = { kind: 'user', id: row.name };
    await this.#audit.record([{ actor, action, object, group: row.group_path, ...change }], transaction);
  }
}

export function newRow(user: {
  readonly id: string;
  readonly name: string;
  readonly displayName?: string | undefined;
  readonly group: string;
  readonly hash: string | null;
  readonly oidc?: { readonly issuer: string; readonly subject: string };
  readonly nowMs: number;
}): Row {
  return {
    id: user.id,
    name: user.name,
    display_name: user.displayName ?? null,
    group_path: user.group,
    password_hash: user.hash,
    password_changed_at_ms: user.hash === null ? null : user.nowMs,
    oidc_issuer: user.oidc?.issuer ?? null,
    oidc_subject: user.oidc?.subject ?? null,
    disabled: 0,
    locked_at_ms: null,
    created_at_ms: user.nowMs,
    signed_in_at_ms: null,
  };
}

/** @throws SelsynError `user.exists` */
export async function insertUser(transaction: Database, row: Row): Promise<void> {
  const inserted = await transaction
    .insertInto('user_account')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows === 0n) {
    throw new SelsynError('user.exists', `there is a user ${row.name} already`, { details: { name: row.name } });
  }
}

export function holderOf({ id, name }: Pick<Row, 'id' | 'name'>): Holder {
  return { kind: 'user', id, name };
}

/** What a user's password must not be made of. */
export function wordsOf(row: { readonly name: string; readonly display_name?: string | null | undefined }): readonly string[] {
  return [row.name, ...(row.display_name === null || row.display_name === undefined ? [] : [row.display_name])];
}

/** For the audit trail: never the hash. */
export function shown(row: Row) {
  return { name: row.name, displayName: row.display_name ?? undefined, group: row.group_path, disabled: row.disabled !== 0 };
}

function ensureAdministers(caller: Caller, group: string): void {
  if (mayAt(caller, 'users:write', group)) return;
  throw new SelsynError('access.denied', `${caller.actor.name} does not administer users at ${group}`, { details: { group } });
}

function fromRow(row: Row, grants: readonly RoleGrant[]): User {
  return {
    name: row.name,
    ...(row.display_name !== null && { displayName: row.display_name }),
    group: row.group_path,
    grants: grants.map(({ role, group, source }) => ({ role, group, source })),
    password: row.password_hash !== null,
    oidc: row.oidc_subject !== null,
    disabled: row.disabled !== 0,
    locked: row.locked_at_ms !== null,
    createdAtMs: Number(row.created_at_ms),
    ...(row.signed_in_at_ms !== null && { signedInAtMs: Number(row.signed_in_at_ms) }),
    ...(row.password_changed_at_ms !== null && { passwordChangedAtMs: Number(row.password_changed_at_ms) }),
  };
}
