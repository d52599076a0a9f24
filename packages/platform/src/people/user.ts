import { SelsynError } from '../kernel/errors.ts';
import type { GrantSource, RoleAt } from './grant-store.ts';

/** Somebody who signs in. */
export interface User {
  readonly name: string;
  readonly displayName?: string;
  /** The node whose administrators see and change the user. */
  readonly group: string;
  readonly grants: readonly (RoleAt & { readonly source: GrantSource })[];
  /** How the user may sign in. */
  readonly password: boolean;
  readonly oidc: boolean;
  readonly disabled: boolean;
  /** After too many wrong passwords, until somebody unlocks it. */
  readonly locked: boolean;
  readonly createdAtMs: number;
  readonly signedInAtMs?: number;
  readonly passwordChangedAtMs?: number;
}

export const USER_NAME = /^[\p{L}\p{N}][\p{L}\p{N}._@+-]{0,127}$/u;
export const MAX_DISPLAY_NAME_LENGTH = 200;

/** A name as it is kept and compared: `Ann` and `ann` are one. */
export function nameOf(text: string): string {
  return text.normalize('NFKC').toLowerCase().trim();
}

/** @throws SelsynError `request.invalid` */
export function parseUserName(text: string): string {
  const name = nameOf(text);
  if (USER_NAME.test(name)) return name;
  throw new SelsynError('request.invalid', 'a name is 1 to 128 letters, digits and . _ @ + -, a letter or digit first', {
    details: { field: 'name' },
  });
}

export function noUser(name: string): SelsynError {
  return new SelsynError('user.not-found', `there is no user ${name}`, { details: { name } });
}
