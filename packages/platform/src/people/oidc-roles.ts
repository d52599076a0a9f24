import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { isGroupPath } from '../registry/group-path.ts';
import type { RoleAt } from './grant-store.ts';

const ruleSchema = z.strictObject({
  value: z.string().min(1),
  role: z.string().min(1).max(64),
  group: z.string().refine(isGroupPath, 'must be a group as /acme').default('/'),
});

/** Whoever has this value in the claim has this role at this node. */
export type OidcRoleRule = z.output<typeof ruleSchema>;

/** Reads `[{"value":"admins","role":"administrator","group":"/"}]`. @throws SelsynError `config.invalid` */
export function parseOidcRoles(text: string): readonly OidcRoleRule[] {
  if (text === '') return [];
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SelsynError('config.invalid', 'must be JSON: [{"value":"admins","role":"administrator","group":"/"}]', {
      cause: error,
    });
  }
  const parsed = z.array(ruleSchema).max(500).safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SelsynError(
    'config.invalid',
    `must be a list of {"value","role","group"}: ${issue?.path.join('.')} ${issue?.message}`,
  );
}

/** What the rules give to somebody with these claims; `claim` may lead into objects: `realm_access.roles`. */
export function rolesByClaims(
  claims: Readonly<Record<string, unknown>>,
  { claim, rules }: { readonly claim: string; readonly rules: readonly OidcRoleRule[] },
): readonly RoleAt[] {
  const values = new Set(valuesOf(Object.hasOwn(claims, claim) ? claims[claim] : follow(claims, claim.split('.'))));
  const given = rules.filter(({ value }) => values.has(value)).map(({ role, group }) => ({ role, group }));
  return given.filter(({ role, group }, at) => given.findIndex((other) => other.role === role && other.group === group) === at);
}

function follow(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined,
    value,
  );
}

function valuesOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return [claim];
  return Array.isArray(claim) ? claim.filter((value): value is string => typeof value === 'string') : [];
}
