import type { Actor } from '../audit/actor.ts';
import { isWithin, ROOT_GROUP } from '../registry/group-path.ts';
import type { Scope } from '../registry/scope.ts';
import type { Permission } from './permissions.ts';

/** What somebody may do at a node of the group tree and everywhere below it. */
export interface Grant {
  readonly group: string;
  readonly permissions: ReadonlySet<Permission>;
  /** By which role. */
  readonly role?: string;
}

/** Who sent a request, and all that they may do. */
export interface Caller {
  readonly actor: Actor;
  readonly grants: readonly Grant[];
}

/** The part of the group tree in which a caller has a permission; nodes below others of it are left out. */
export function scopeOf({ grants }: Pick<Caller, 'grants'>, permission: Permission): Scope {
  const groups = [...new Set(grants.filter((grant) => grant.permissions.has(permission)).map((grant) => grant.group))];
  return { groups: groups.filter((group) => !groups.some((other) => other !== group && isWithin(group, other))) };
}

/** Whether a caller has a permission at a node. */
export function mayAt({ grants }: Pick<Caller, 'grants'>, permission: Permission, group: string): boolean {
  return grants.some((grant) => grant.permissions.has(permission) && isWithin(group, grant.group));
}

/** Whether a caller has a permission over all that there is. */
export function mayEverywhere(caller: Pick<Caller, 'grants'>, permission: Permission): boolean {
  return mayAt(caller, permission, ROOT_GROUP);
}

/** Those of the permissions that a caller does not have at a node: what they cannot give to anybody there. */
export function lackingAt(
  caller: Pick<Caller, 'grants'>,
  permissions: Iterable<Permission>,
  group: string,
): readonly Permission[] {
  return [...permissions].filter((permission) => !mayAt(caller, permission, group));
}
