import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { hashSecret, newSecret, sameHash, type RandomBytes } from '../kernel/secret.ts';
import { parseGroupPath, ROOT_GROUP } from '../registry/group-path.ts';
import { EVERYTHING, type Scope } from '../registry/scope.ts';
import type { Caller } from './caller.ts';
import { administers, ensureHasNoLess, ensureMayGive } from './delegation.ts';
import { grantOf, type GrantStore, homeOf, type Holder, type RoleAt, type RoleGrant } from './grant-store.ts';
import { NotedTimes } from './noted-times.ts';
import { BUILT_IN_ROLES } from './permissions.ts';
import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { RoleStore } from './role-store.ts';
import { withinScope } from './within-scope.ts';

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** How the key begins; empty for keys that were made before this was kept. */
  readonly prefix: string;
  /** The node whose administrators see and remove it. */
  readonly group: string;
  readonly grants: readonly RoleAt[];
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
  /** To the minute. */
  readonly usedAtMs?: number;
}

export interface ApiKeyDraft {
  readonly name: string;
  readonly grants: readonly RoleAt[];
  readonly group?: string | undefined;
  readonly expiresAtMs?: number | undefined;
}

export const MAX_API_KEYS = 1000;
/** Tells whoever finds a key somewhere what it is, people and scanners of source code. */
export const API_KEY_START = 'selsyn_key_';
const MAX_KEY_LENGTH = 512;
const PREFIX_LENGTH = API_KEY_START.length + 6;
const ID_BYTES = 9;
const USED_EVERY_MS = 60_000;

/**
 * The keys of the HTTP API: the administrator's, which comes from the configuration, and any number of further ones
 * (up to 1,000) in the database.
 */
export class ApiKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #audit: AuditTrail;
  readonly #roles: RoleStore;
  readonly #grants: GrantStore;
  readonly #adminHash: string;
  readonly #byHash: PreparedLookup<KeyRow>;
  readonly #used = new NotedTimes(USED_EVERY_MS);

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly audit: AuditTrail;
    readonly roles: RoleStore;
    readonly grants: GrantStore;
    readonly adminKey: string;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#audit = dependencies.audit;
    this.#roles = dependencies.roles;
    this.#grants = dependencies.grants;
    this.#adminHash = hashSecret(dependencies.adminKey);
    this.#byHash = new PreparedLookup(this.#database, (hash) => keyQuery(this.#database, hash));
  }

  /**
   * Who shows this key and what they may do; undefined when nobody has it, or not any more.
   *
   * Keys are found by their hash: what the time of the look-up tells is about SHA-256, not about any key.
   */
  async authenticate(key: string, remoteAddress?: string, purpose: 'use' | 'renewal' = 'use'): Promise<Caller | undefined> {
    if (key.length === 0 || key.length > MAX_KEY_LENGTH) return undefined;
    const hash = hashSecret(key);
    if (sameHash(hash, this.#adminHash)) return { ...ADMINISTRATOR, actor: { ...ADMINISTRATOR.actor, remoteAddress } };
    const rows = await this.#byHash.find(hash);
    const [row] = rows;
    if (row === undefined) return undefined;
    const nowMs = this.#clock.now();
    if (row.expires_at_ms !== null && Number(row.expires_at_ms) <= nowMs) return undefined;
    if (purpose === 'use') await this.#noteUse(row.id, row.used_at_ms, nowMs);
    const grants = rows.flatMap(({ role, group_path, source, permissions }) =>
      role === null || group_path === null || source === null ? [] : [grantOf({ role, group_path, source, permissions })],
    );
    return { actor: { kind: 'api-key', id: row.id, name: row.name, remoteAddress }, grants };
  }

  /**
   * The key itself is in the answer this once.
   *
   * @throws SelsynError `access.denied` for what the caller does not have, `role.not-found`, `request.invalid`,
   * `request.too-large` beyond 1,000 keys.
   */
  async create(draft: ApiKeyDraft, caller: Caller): Promise<ApiKey & { readonly key: string }> {
    const group = parseGroupPath(draft.group ?? homeOf(draft.grants));
    if (!administers(caller, 'keys:write', group)) {
      throw new SelsynError('access.denied', `${caller.actor.name} cannot make keys for ${group}`, { details: { group } });
    }
    const createdAtMs = this.#clock.now();
    if (draft.expiresAtMs !== undefined && draft.expiresAtMs <= createdAtMs) {
      throw new SelsynError('request.invalid', 'the key would have expired already', { details: { field: 'expiresAtMs' } });
    }
    const key = API_KEY_START + newSecret(this.#random);
    const id = Buffer.from(this.#random(ID_BYTES)).toString('base64url');
    const row = {
      id,
      name: draft.name,
      key_hash: hashSecret(key),
      prefix: key.slice(0, PREFIX_LENGTH),
      group_path: group,
      created_at_ms: createdAtMs,
      expires_at_ms: draft.expiresAtMs ?? null,
      used_at_ms: null,
    };
    const made = await inTransaction(this.#database, async (transaction) => {
      await ensureRoom(transaction);
      await transaction.insertInto('api_key').values(row).execute();
      await this.#record(transaction, caller.actor, 'api-key.create', row, 'after');
      for (const roleAt of draft.grants) await this.#give(transaction, holderOf(row), roleAt, caller);
      return fromRow(row, await this.#grants.of(transaction, holderOf(row)));
    });
    return { ...made, key };
  }

  /** Oldest first, without the administrator's. */
  async list(scope: Scope = EVERYTHING): Promise<readonly ApiKey[]> {
    const rows = await this.#database
      .selectFrom('api_key')
      .selectAll()
      .where(withinScope('group_path', scope))
      .orderBy('created_at_ms')
      .orderBy('id')
      .execute();
    const grants = await this.#grants.listOf(
      this.#database,
      'api-key',
      rows.map((row) => row.id),
    );
    return rows.map((row) => fromRow(row, grants.get(row.id) ?? []));
  }

  /** From then on the key is refused. @throws SelsynError `api-key.not-found`, `access.denied` when it may more than the caller. */
  async remove(id: string, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      await this.#grants.takeAll(transaction, holderOf(row), caller.actor);
      await transaction.deleteFrom('api_key').where('id', '=', id).execute();
      await this.#record(transaction, caller.actor, 'api-key.delete', row, 'before');
    });
  }

  /** @throws SelsynError `api-key.not-found`, `role.not-found`, `access.denied`, `request.invalid` */
  async grant(id: string, roleAt: RoleAt, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      await this.#give(transaction, holderOf(row), roleAt, caller);
    });
  }

  /** @throws SelsynError `api-key.not-found`, `grant.not-found`, `access.denied` */
  async revoke(id: string, roleAt: RoleAt, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      await this.#grants.take(transaction, holderOf(row), roleAt, { source: 'local', actor: caller.actor });
    });
  }

  async #give(transaction: Database, holder: Holder, roleAt: RoleAt, caller: Caller): Promise<void> {
    const role = await this.#roles.get(roleAt.role, transaction);
    ensureMayGive(caller, ['keys:write', ...role.permissions], parseGroupPath(roleAt.group));
    await this.#grants.give(transaction, holder, roleAt, { source: 'local', actor: caller.actor });
  }

  async #changeable(transaction: Database, id: string, caller: Caller): Promise<Schema['api_key']> {
    const row = await transaction.selectFrom('api_key').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !administers(caller, 'keys:write', row.group_path)) {
      throw new SelsynError('api-key.not-found', `there is no API key ${id}`, { details: { id } });
    }
    ensureHasNoLess(caller, await this.#grants.of(transaction, holderOf(row)), `the key "${row.name}"`);
    return row;
  }

  async #noteUse(id: string, usedAtMs: number | null, nowMs: number): Promise<void> {
    if (!this.#used.due(id, usedAtMs === null ? undefined : Number(usedAtMs), nowMs)) return;
    await this.#database.updateTable('api_key').set({ used_at_ms: nowMs }).where('id', '=', id).execute();
  }

  async #record(transaction: Database, actor: Actor, action: string, row: Schema['api_key'], side: 'before' | 'after') {
    const shown = { name: row.name, prefix: row.prefix, expiresAtMs: row.expires_at_ms ?? undefined };
    const object = { kind: 'api-key', id: row.id };
    await this.#audit.record([{ actor, action, object, group: row.group_path, [side]: shown }], transaction);
  }
}

/** The key of the configuration: whoever has the data folder has this server. */
const ADMINISTRATOR: Caller = {
  actor: { kind: 'api-key', id: 'admin', name: 'admin' },
  grants: [{ role: 'administrator', group: ROOT_GROUP, permissions: BUILT_IN_ROLES.administrator }],
};

/** A key with one of its grants, or with none. */
type KeyRow = Awaited<ReturnType<ReturnType<typeof keyQuery>['execute']>>[number];

function keyQuery(database: Database, hash: string) {
  return database
    .selectFrom('api_key')
    .leftJoin('role_grant', (join) =>
      join.onRef('role_grant.holder_id', '=', 'api_key.id').on('role_grant.holder_kind', '=', 'api-key'),
    )
    .leftJoin('role', 'role.name', 'role_grant.role')
    .select(['api_key.id as id', 'api_key.name as name', 'expires_at_ms', 'used_at_ms'])
    .select(['role_grant.role as role', 'role_grant.group_path as group_path', 'source', 'permissions'])
    .where('key_hash', '=', hash);
}

function holderOf({ id, name }: Pick<Schema['api_key'], 'id' | 'name'>): Holder {
  return { kind: 'api-key', id, name };
}

async function ensureRoom(transaction: Database): Promise<void> {
  const { count } = await transaction
    .selectFrom('api_key')
    .select((builder) => builder.fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) >= MAX_API_KEYS) {
    throw new SelsynError('request.too-large', `there are ${MAX_API_KEYS} API keys already: remove some first`);
  }
}

function fromRow(row: Schema['api_key'], grants: readonly RoleGrant[]): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    group: row.group_path,
    grants: grants.map(({ role, group }) => ({ role, group })),
    createdAtMs: Number(row.created_at_ms),
    ...(row.expires_at_ms !== null && { expiresAtMs: Number(row.expires_at_ms) }),
    ...(row.used_at_ms !== null && { usedAtMs: Number(row.used_at_ms) }),
  };
}
