import type { Actor } from '../audit/actor.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { inTransaction } from '../database/in-transaction.ts';
import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import { lackingAt, type Caller } from './caller.ts';
import { BUILT_IN_ROLES, isBuiltInRole, isPermission, PERMISSIONS, type Permission } from './permissions.ts';

/** A named set of permissions. */
export interface Role {
  readonly name: string;
  readonly description: string;
  /** In the order of {@link PERMISSIONS}. */
  readonly permissions: readonly Permission[];
  /** Always there and never changed. */
  readonly builtIn: boolean;
}

export const ROLE_NAME = /^[a-z][a-z0-9-]{0,62}$/;
export const MAX_ROLES = 200;

/** The roles: the four that are always there, and those that somebody made. They belong to all groups. */
export class RoleStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly audit: AuditTrail }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#audit = dependencies.audit;
  }

  /** The built-in ones, from the one that may least to the one that may most, and then the others by name. */
  async list(): Promise<readonly Role[]> {
    const rows = await this.#database.selectFrom('role').selectAll().orderBy('name').execute();
    return [...BUILT_IN, ...rows.map(fromRow)];
  }

  async find(name: string, transaction: Database = this.#database): Promise<Role | undefined> {
    if (isBuiltInRole(name)) return BUILT_IN.find((role) => role.name === name);
    const row = await transaction.selectFrom('role').selectAll().where('name', '=', name).executeTakeFirst();
    return row === undefined ? undefined : fromRow(row);
  }

  /** @throws SelsynError `role.not-found` */
  async get(name: string, transaction: Database = this.#database): Promise<Role> {
    const role = await this.find(name, transaction);
    if (role === undefined) throw noRole(name);
    return role;
  }

  /**
   * Makes a role, or changes what everybody who has it may do.
   *
   * @param caller must have all of its permissions, those of before and those of after, at the root: else whoever has the role
   * could be given, or robbed of, more than the caller has a say in.
   * @throws SelsynError `role.built-in`, `access.denied`, `request.invalid`, `request.too-large`
   */
  async put(draft: Pick<Role, 'name' | 'description' | 'permissions'>, caller: Caller): Promise<Role> {
    const { name, description } = draft;
    if (isBuiltInRole(name)) throw builtIn(name);
    if (!ROLE_NAME.test(name)) {
      throw new SelsynError('request.invalid', 'the name of a role is 1 to 63 of a-z 0-9 -, a letter first', {
        details: { field: 'name' },
      });
    }
    const permissions = PERMISSIONS.filter((permission) => draft.permissions.includes(permission));
    return await inTransaction(this.#database, async (transaction) => {
      const before = await this.find(name, transaction);
      ensureHas(caller, [...permissions, ...(before?.permissions ?? [])]);
      if (before === undefined) await this.#ensureRoom(transaction);
      const nowMs = this.#clock.now();
      const changed = { description, permissions: JSON.stringify(permissions), updated_at_ms: nowMs };
      await transaction
        .insertInto('role')
        .values({ name, ...changed, created_at_ms: nowMs })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(changed))
        .execute();
      const after: Role = { name, description, permissions, builtIn: false };
      await this.#record(transaction, caller.actor, before === undefined ? 'role.create' : 'role.update', before, after);
      return after;
    });
  }

  /** @throws SelsynError `role.not-found`, `role.built-in`, `role.in-use`, `access.denied` */
  async remove(name: string, caller: Caller): Promise<void> {
    if (isBuiltInRole(name)) throw builtIn(name);
    await inTransaction(this.#database, async (transaction) => {
      const before = await this.get(name, transaction);
      ensureHas(caller, before.permissions);
      const used = await transaction.selectFrom('role_grant').select('holder_id').where('role', '=', name).executeTakeFirst();
      if (used !== undefined) {
        throw new SelsynError('role.in-use', `users or keys still have the role ${name}`, { details: { role: name } });
      }
      await transaction.deleteFrom('role').where('name', '=', name).execute();
      await this.#record(transaction, caller.actor, 'role.delete', before, undefined);
    });
  }

  async #ensureRoom(transaction: Database): Promise<void> {
    const { count } = await transaction
      .selectFrom('role')
      .select((builder) => builder.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) >= MAX_ROLES) throw new SelsynError('request.too-large', `there are ${MAX_ROLES} roles already`);
  }

  async #record(transaction: Database, actor: Actor, action: string, before: Role | undefined, after: Role | undefined) {
    const id = (after ?? before)?.name ?? '';
    await this.#audit.record(
      [{ actor, action, object: { kind: 'role', id }, group: ROOT_GROUP, before: shown(before), after: shown(after) }],
      transaction,
    );
  }
}

/** The permissions that a row of the table `role` holds; what this version does not know is left out. */
export function permissionsOf(name: string, stored: string | null): ReadonlySet<Permission> {
  if (isBuiltInRole(name)) return BUILT_IN_ROLES[name];
  if (stored === null) return new Set();
  const list: unknown = JSON.parse(stored);
  if (!Array.isArray(list)) throw new SelsynError('data.corrupt', `the role ${name} holds no list of permissions`);
  return new Set(list.filter((text): text is Permission => typeof text === 'string' && isPermission(text)));
}

const DESCRIPTIONS = {
  viewer: 'Sees devices, their telemetry, shadows, commands and jobs, and the server.',
  operator:
    'Keeps a fleet running: changes devices, shadows and fleets, sends commands, starts jobs, issues and revokes certificates, reads the audit trail.',
  engineer: 'Also decides how devices come in, what they may do, and removes them.',
  administrator: 'Also decides about people, keys, secrets and the server: may do everything.',
} as const satisfies Record<keyof typeof BUILT_IN_ROLES, string>;

const BUILT_IN: readonly Role[] = (['viewer', 'operator', 'engineer', 'administrator'] as const).map((name) => ({
  name,
  description: DESCRIPTIONS[name],
  permissions: PERMISSIONS.filter((permission) => (BUILT_IN_ROLES[name] as ReadonlySet<Permission>).has(permission)),
  builtIn: true,
}));

function fromRow({ name, description, permissions }: Schema['role']): Role {
  const known = permissionsOf(name, permissions);
  return { name, description, permissions: PERMISSIONS.filter((permission) => known.has(permission)), builtIn: false };
}

function shown(role: Role | undefined) {
  return role === undefined ? undefined : { description: role.description, permissions: role.permissions };
}

function ensureHas(caller: Caller, permissions: readonly Permission[]): void {
  const lacking = [...new Set(lackingAt(caller, permissions, ROOT_GROUP))];
  if (lacking.length === 0) return;
  throw new SelsynError('access.denied', `the role has permissions that ${caller.actor.name} lacks at /: ${lacking.join(', ')}`, {
    details: { lacking },
  });
}

function noRole(name: string): SelsynError {
  return new SelsynError('role.not-found', `there is no role ${name}`, { details: { role: name } });
}

function builtIn(name: string): SelsynError {
  return new SelsynError('role.built-in', `the role ${name} is always as it is`, { details: { role: name } });
}
