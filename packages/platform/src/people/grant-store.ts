import type { AuditTrail } from '../audit/audit-trail.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { parseGroupPath, ROOT_GROUP } from '../registry/group-path.ts';
import type { Actor } from '../audit/actor.ts';
import type { Grant } from './caller.ts';
import { permissionsOf } from './role-store.ts';

/** Who can have roles. */
export interface Holder {
  readonly kind: 'user' | 'api-key' | 'access-key';
  readonly id: string;
  /** For people: in messages and in the audit trail. */
  readonly name: string;
}

/** A role at a node of the group tree. */
export interface RoleAt {
  readonly role: string;
  readonly group: string;
}

/** `local`: given by somebody here. `oidc`: by what the identity provider says. */
export type GrantSource = 'local' | 'oidc';

/** A {@link RoleAt} with what it allows: a {@link Grant} too. */
export interface RoleGrant extends RoleAt {
  readonly permissions: Grant['permissions'];
  readonly source: GrantSource;
}

export const MAX_GRANTS = 100;

/** Where all of a key's grants are at one node, it is at home there; else at the root. */
export function homeOf(grants: readonly RoleAt[]): string {
  const [first, ...others] = new Set(grants.map(({ group }) => group));
  return first === undefined || others.length > 0 ? ROOT_GROUP : first;
}

/** Which roles users and keys have, and where. Whether somebody may give one is decided by delegation.ts before. */
export class GrantStore {
  readonly #clock: Clock;
  readonly #audit: AuditTrail;

  constructor(dependencies: { readonly clock: Clock; readonly audit: AuditTrail }) {
    this.#clock = dependencies.clock;
    this.#audit = dependencies.audit;
  }

  /** What each of the holders may do, by their ids. */
  async listOf(
    database: Database,
    kind: Holder['kind'],
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, readonly RoleGrant[]>> {
    const found = new Map<string, RoleGrant[]>(ids.map((id) => [id, []]));
    if (ids.length === 0) return found;
    const rows = await database
      .selectFrom('role_grant')
      .leftJoin('role', 'role.name', 'role_grant.role')
      .select(['holder_id', 'role_grant.role as role', 'group_path', 'source', 'permissions'])
      .where('holder_kind', '=', kind)
      .where('holder_id', 'in', ids)
      .orderBy('group_path')
      .orderBy('role_grant.role')
      .execute();
    for (const row of rows) found.get(row.holder_id)?.push(grantOf(row));
    return found;
  }

  async of(database: Database, { kind, id }: Pick<Holder, 'kind' | 'id'>): Promise<readonly RoleGrant[]> {
    return (await this.listOf(database, kind, [id])).get(id) ?? [];
  }

  /** To have it already is no fault. @throws SelsynError `request.invalid`, `request.too-large` */
  async give(
    transaction: Database,
    holder: Holder,
    roleAt: RoleAt,
    { source, actor }: { readonly source: GrantSource; readonly actor: Actor },
  ): Promise<void> {
    const group = parseGroupPath(roleAt.group);
    const present = await this.of(transaction, holder);
    if (present.some((grant) => grant.role === roleAt.role && grant.group === group && grant.source === source)) return;
    if (present.length >= MAX_GRANTS) {
      throw new SelsynError('request.too-large', `${holder.name} has ${MAX_GRANTS} grants already`);
    }
    const row = { holder_kind: holder.kind, holder_id: holder.id, role: roleAt.role, group_path: group, source };
    await transaction
      .insertInto('role_grant')
      .values({ ...row, created_at_ms: this.#clock.now() })
      .execute();
    await this.#audit.record([changeOf(holder, actor, 'grant', roleAt, source)], transaction);
  }

  /** @throws SelsynError `grant.not-found` */
  async take(
    transaction: Database,
    holder: Holder,
    { role, group }: RoleAt,
    { source, actor }: { readonly source: GrantSource; readonly actor: Actor },
  ): Promise<void> {
    const deleted = await transaction
      .deleteFrom('role_grant')
      .where('holder_kind', '=', holder.kind)
      .where('holder_id', '=', holder.id)
      .where('role', '=', role)
      .where('group_path', '=', group)
      .where('source', '=', source)
      .executeTakeFirst();
    if (deleted.numDeletedRows === 0n) throw noGrant(holder, { role, group });
    await this.#audit.record([changeOf(holder, actor, 'revoke', { role, group }, source)], transaction);
  }

  /** Takes everything, since the holder is being removed. */
  async takeAll(transaction: Database, holder: Holder, actor: Actor): Promise<void> {
    const present = await this.of(transaction, holder);
    await transaction
      .deleteFrom('role_grant')
      .where('holder_kind', '=', holder.kind)
      .where('holder_id', '=', holder.id)
      .execute();
    await this.#audit.record(
      present.map((grant) => changeOf(holder, actor, 'revoke', grant, grant.source)),
      transaction,
    );
  }
}

/** @throws SelsynError `data.corrupt` */
export function grantOf(row: {
  readonly role: string;
  readonly group_path: string;
  readonly source: string;
  readonly permissions: string | null;
}): RoleGrant {
  const source = row.source === 'oidc' ? 'oidc' : 'local';
  return { role: row.role, group: row.group_path, source, permissions: permissionsOf(row.role, row.permissions) };
}

export function noGrant(holder: Holder, { role, group }: RoleAt): SelsynError {
  return new SelsynError('grant.not-found', `${holder.name} does not have the role ${role} at ${group}`, {
    details: { role, group },
  });
}

/** The entry stands in the group in which somebody got or lost power: those who watch over it see it. */
function changeOf(holder: Holder, actor: Actor, verb: 'grant' | 'revoke', { role, group }: RoleAt, source: GrantSource) {
  const value = { role, group, source };
  const object = { kind: holder.kind, id: holder.kind === 'user' ? holder.name : holder.id };
  return { actor, action: `${holder.kind}.${verb}`, object, group, ...(verb === 'grant' ? { after: value } : { before: value }) };
}
