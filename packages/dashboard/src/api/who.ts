import type { ApiClient } from './client.ts';
import { asObject, objects, optionalText, text, texts } from './json.ts';

export interface Grant {
  /** Holds at this node and below it. */
  readonly group: string;
  readonly role: string | undefined;
  readonly permissions: ReadonlySet<string>;
}

/** Who is signed in, and all that they may do. */
export interface Who {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly grants: readonly Grant[];
}

/** @param key one that is being tried; empty: the cookie of a session; absent: whatever is signed in. */
export async function fetchWho(client: ApiClient, key?: string, signal?: AbortSignal): Promise<Who> {
  const source = asObject(await client.get('/me', { signal, ...(key !== undefined && { key }) }), 'me');
  return {
    kind: text(source, 'kind'),
    id: text(source, 'id'),
    name: text(source, 'name'),
    grants: objects(source, 'grants', (grant) => ({
      group: text(grant, 'group'),
      role: optionalText(grant, 'role'),
      permissions: new Set(texts(grant, 'permissions')),
    })),
  };
}

/** Whether somebody may do this at a node; without a node: anywhere at all. */
export function may(who: Pick<Who, 'grants'>, permission: string, group?: string): boolean {
  return who.grants.some((grant) => grant.permissions.has(permission) && (group === undefined || isWithin(group, grant.group)));
}

/** Whether somebody may do this with what belongs to no group. */
export function mayEverywhere(who: Pick<Who, 'grants'>, permission: string): boolean {
  return may(who, permission, '/');
}

/** The topmost nodes at which somebody may do this. */
export function groupsWith(who: Pick<Who, 'grants'>, permission: string): readonly string[] {
  const groups = [...new Set(who.grants.filter((grant) => grant.permissions.has(permission)).map((grant) => grant.group))];
  return groups.filter((group) => !groups.some((other) => other !== group && isWithin(group, other)));
}

function isWithin(group: string, ancestor: string): boolean {
  return ancestor === '/' || group === ancestor || group.startsWith(`${ancestor}/`);
}
