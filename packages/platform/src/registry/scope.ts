import { isWithin, ROOT_GROUP } from './group-path.ts';

/** The part of the group tree that somebody may act in: these nodes and all below them. */
export interface Scope {
  /** Empty: nothing. */
  readonly groups: readonly string[];
}

export const EVERYTHING: Scope = { groups: [ROOT_GROUP] };
export const NOTHING: Scope = { groups: [] };

export function isEverything({ groups }: Scope): boolean {
  return groups.includes(ROOT_GROUP);
}

export function scopeIncludes({ groups }: Scope, path: string): boolean {
  return groups.some((group) => isWithin(path, group));
}
