import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { parseGroupPath } from '../registry/group-path.ts';
import { EVERYTHING, type Scope } from '../registry/scope.ts';
import { accessKeyPlace, type Sealer } from '../secrets/sealer.ts';
import { type AccessKeyRow, accessKeysOf, accessKeysPage, findAccessKey } from './access-key-rows.ts';
import { newAccessKeyId, newAccessKeySecret } from './access-key-words.ts';
import type { Caller } from './caller.ts';
import { administers, ensureHasNoLess, ensureMayGive } from './delegation.ts';
import { GrantStore, homeOf, type Holder, type RoleAt } from './grant-store.ts';
import type { RoleStore } from './role-store.ts';

/** A key by which a program or a device signs its requests (AWS Signature V4), without its secret. */
export interface AccessKey {
  /** What requests name it by; no secret. */
  readonly id: string;
  readonly name: string;
  /** The node whose administrators see and remove it; of a device the one that it stands in. */
  readonly group: string;
  /** Whose it is: it may do what the policies of the device say. Undefined: it has roles. */
  readonly device: string | undefined;
  readonly grants: readonly RoleAt[];
  readonly disabled: boolean;
  readonly createdAtMs: number;
  readonly expiresAtMs?: number;
  /** To the minute. */
  readonly usedAtMs?: number;
  /** For what, as the request said: `iotdata`, `iot-jobs-data`. */
  readonly usedService?: string;
}

export interface AccessKeyDraft {
  readonly name: string;
  /** One of both. */
  readonly holder: { readonly grants: readonly RoleAt[]; readonly group?: string | undefined } | { readonly device: string };
  readonly expiresAtMs?: number | undefined;
}

export interface AccessKeyQuery {
  readonly scope?: Scope;
  readonly device?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Of keys with roles. */
export const MAX_ACCESS_KEYS = 1_000;
/** As AWS has it: one in use, and one to change over to. */
export const MAX_KEYS_A_DEVICE = 2;

/** Makes, lists and takes back access keys. */
export class AccessKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #audit: AuditTrail;
  readonly #roles: RoleStore;
  readonly #grants: GrantStore;
  readonly #sealer: Pick<Sealer, 'seal'>;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly audit: AuditTrail;
    readonly roles: RoleStore;
    readonly sealer: Pick<Sealer, 'seal'>;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#audit = dependencies.audit;
    this.#roles = dependencies.roles;
    this.#grants = new GrantStore(dependencies);
    this.#sealer = dependencies.sealer;
  }

  /**
   * The secret is in the answer this once.
   *
   * @throws SelsynError `access.denied` for what the caller does not have, `role.not-found`, `device.not-found`, `request.invalid`,
   * `request.too-large` beyond 1,000 keys, or 2 of a device.
   */
  async create(draft: AccessKeyDraft, caller: Caller): Promise<AccessKey & { readonly secret: string }> {
    const { name, holder, expiresAtMs } = draft;
    const createdAtMs = this.#clock.now();
    if (expiresAtMs !== undefined && expiresAtMs <= createdAtMs)
      throw new SelsynError('request.invalid', 'the key would have expired already', { details: { field: 'expiresAtMs' } });
    const id = newAccessKeyId(this.#random);
    const secret = newAccessKeySecret(this.#random);
    const made = await inTransaction(this.#database, async (transaction) => {
      const group =
        'device' in holder
          ? await this.#ensureMayActAs(transaction, holder.device, caller)
          : this.#ensureAdministers(caller, parseGroupPath(holder.group ?? homeOf(holder.grants)));
      await ensureRoom(transaction, 'device' in holder ? holder.device : undefined);
      const { sealed, keyId } = this.#sealer.seal(Buffer.from(secret, 'utf8'), accessKeyPlace(id));
      const row = {
        id,
        name,
        device_id: 'device' in holder ? holder.device : null,
        group_path: group,
        disabled: 0,
        created_at_ms: createdAtMs,
        expires_at_ms: expiresAtMs ?? null,
        used_at_ms: null,
        used_service: null,
      };
      await transaction
        .insertInto('access_key')
        .values({ ...row, sealed, key_id: keyId })
        .execute();
      await this.#record(transaction, caller.actor, 'access-key.create', { ...row, home: group }, { after: shown(row) });
      if ('grants' in holder) for (const roleAt of holder.grants) await this.#give(transaction, { id, name }, roleAt, caller);
      return await this.#get(transaction, id);
    });
    return { ...made, secret };
  }

  /** Oldest first. @throws SelsynError `request.invalid` for a cursor that is none */
  async list({ scope = EVERYTHING, device, limit, cursor }: AccessKeyQuery): Promise<{
    readonly items: readonly AccessKey[];
    readonly cursor?: string;
  }> {
    const { rows, cursor: next } = await accessKeysPage(this.#database, { scope, device, limit, cursor });
    const items = await accessKeysOf(this.#database, this.#grants, rows);
    return { items, ...(next !== undefined && { cursor: next }) };
  }

  /** From then on it is refused, until it is enabled again. @throws SelsynError `access-key.not-found`, `access.denied` */
  async setDisabled(id: string, disabled: boolean, caller: Caller): Promise<AccessKey> {
    return await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      // As when it was made: who enables the key of a device lets somebody be it.
      if (!disabled && row.device_id !== null) ensureMayGive(caller, ['devices:write'], row.home);
      if ((row.disabled !== 0) !== disabled) {
        await transaction
          .updateTable('access_key')
          .set({ disabled: disabled ? 1 : 0 })
          .where('id', '=', id)
          .execute();
        const action = disabled ? 'access-key.disable' : 'access-key.enable';
        await this.#record(transaction, caller.actor, action, row, { after: { name: row.name, disabled } });
      }
      return await this.#get(transaction, id);
    });
  }

  /** @throws SelsynError `access-key.not-found`, `access.denied` when it may more than the caller. */
  async remove(id: string, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      await this.#grants.takeAll(transaction, holderOf(row), caller.actor);
      await transaction.deleteFrom('access_key').where('id', '=', id).execute();
      await this.#record(transaction, caller.actor, 'access-key.delete', row, { before: shown(row) });
    });
  }

  /** @throws SelsynError `access-key.not-found`, `role.not-found`, `access.denied`, `request.invalid` for a key of a device */
  async grant(id: string, roleAt: RoleAt, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      if (row.device_id !== null)
        throw new SelsynError('request.invalid', 'a key of a device may do what its policies say: it has no roles');
      await this.#give(transaction, row, roleAt, caller);
    });
  }

  /** @throws SelsynError `access-key.not-found`, `grant.not-found`, `access.denied` */
  async revoke(id: string, roleAt: RoleAt, caller: Caller): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const row = await this.#changeable(transaction, id, caller);
      await this.#grants.take(transaction, holderOf(row), roleAt, { source: 'local', actor: caller.actor });
    });
  }

  async #give(transaction: Database, key: { readonly id: string; readonly name: string }, roleAt: RoleAt, caller: Caller) {
    const role = await this.#roles.get(roleAt.role, transaction);
    ensureMayGive(caller, ['keys:write', ...role.permissions], parseGroupPath(roleAt.group));
    await this.#grants.give(transaction, holderOf(key), roleAt, { source: 'local', actor: caller.actor });
  }

  #ensureAdministers(caller: Caller, group: string): string {
    if (administers(caller, 'keys:write', group)) return group;
    throw new SelsynError('access.denied', `${caller.actor.name} cannot make keys for ${group}`, { details: { group } });
  }

  /** Whoever has the key of a device is the device. @returns the group of the device */
  async #ensureMayActAs(transaction: Database, device: string, caller: Caller): Promise<string> {
    const row = await transaction
      .selectFrom('device')
      .innerJoin('device_group', 'device_group.id', 'device.group_id')
      .select('device_group.path')
      .where('device.id', '=', device)
      .executeTakeFirst();
    if (row === undefined || !administers(caller, 'keys:write', row.path))
      throw new SelsynError('device.not-found', `there is no device ${device.slice(0, 128)}`, { details: { id: device } });
    ensureMayGive(caller, ['keys:write', 'devices:write'], row.path);
    return row.path;
  }

  async #changeable(transaction: Database, id: string, caller: Caller): Promise<AccessKeyRow> {
    const row = await findAccessKey(transaction, id);
    if (row === undefined || !administers(caller, 'keys:write', row.home)) throw noAccessKey(id);
    ensureHasNoLess(caller, await this.#grants.of(transaction, holderOf(row)), `the access key "${row.name}"`);
    return row;
  }

  async #get(transaction: Database, id: string): Promise<AccessKey> {
    const row = await findAccessKey(transaction, id);
    const [key] = row === undefined ? [] : await accessKeysOf(transaction, this.#grants, [row]);
    if (key === undefined) throw noAccessKey(id);
    return key;
  }

  async #record(
    transaction: Database,
    actor: Actor,
    action: string,
    { id, home }: Pick<AccessKeyRow, 'id' | 'home'>,
    change: { readonly before?: unknown; readonly after?: unknown },
  ): Promise<void> {
    const object = { kind: 'access-key', id };
    await this.#audit.record([{ actor, action, object, group: home, ...change }], transaction);
  }
}

function shown(row: Pick<AccessKeyRow, 'name' | 'device_id' | 'expires_at_ms'>) {
  return { name: row.name, device: row.device_id ?? undefined, expiresAtMs: row.expires_at_ms ?? undefined };
}

function holderOf({ id, name }: { readonly id: string; readonly name: string }): Holder {
  return { kind: 'access-key', id, name };
}

async function ensureRoom(transaction: Database, device: string | undefined): Promise<void> {
  const keys = transaction.selectFrom('access_key').select((builder) => builder.fn.countAll().as('count'));
  const { count } = await keys.where('device_id', device === undefined ? 'is' : '=', device ?? null).executeTakeFirstOrThrow();
  if (device === undefined && Number(count) >= MAX_ACCESS_KEYS)
    throw new SelsynError('request.too-large', `there are ${MAX_ACCESS_KEYS} access keys already: remove some first`);
  if (device !== undefined && Number(count) >= MAX_KEYS_A_DEVICE)
    throw new SelsynError('request.too-large', `${device} has ${MAX_KEYS_A_DEVICE} access keys already: remove one first`);
}

function noAccessKey(id: string): SelsynError {
  return new SelsynError('access-key.not-found', `there is no access key ${id.slice(0, 64)}`, {
    details: { id: id.slice(0, 64) },
  });
}
