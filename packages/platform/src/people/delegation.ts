import { SelsynError } from '../kernel/errors.ts';
import { lackingAt, mayAt, type Caller, type Grant } from './caller.ts';
import type { Permission } from './permissions.ts';

/**
 * What keeps roles from being stretched. Somebody who administers people or keys in a part of the tree
 *
 * 1. gives nobody what they do not have themselves at that node;
 * 2. changes nobody who has more than they have: else a new password would make the other's rights theirs;
 * 3. does not see those whose home is outside of the nodes in which they administer.
 */

/** Rule 1. @throws SelsynError `access.denied` */
export function ensureMayGive(caller: Caller, permissions: Iterable<Permission>, group: string): void {
  const lacking = lackingAt(caller, permissions, group);
  if (lacking.length === 0) return;
  throw new SelsynError('access.denied', `${caller.actor.name} cannot give what they lack at ${group}: ${lacking.join(', ')}`, {
    details: { group, lacking },
  });
}

/** Rule 2. @throws SelsynError `access.denied` */
export function ensureHasNoLess(caller: Caller, grants: readonly Grant[], holder: string): void {
  if (hasNoLess(caller, grants)) return;
  throw new SelsynError('access.denied', `${holder} may do more than ${caller.actor.name}, who therefore cannot change them`);
}

function hasNoLess(caller: Caller, grants: readonly Grant[]): boolean {
  return grants.every(({ group, permissions }) => lackingAt(caller, permissions, group).length === 0);
}

/** Rule 3. */
export function administers(caller: Caller, permission: Permission, home: string): boolean {
  return mayAt(caller, permission, home);
}
