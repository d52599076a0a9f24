import { SelsynError } from '../kernel/errors.ts';
import { parseOidcRoles } from '../people/oidc-roles.ts';
import type { OidcSettings } from '../people/oidc-sign-in.ts';
import type { SessionLimits } from '../people/sessions.ts';
import type { Config } from './config-schema.ts';

const CALLBACK = '/api/v1/session/oidc/callback';

export function sessionLimits({ people }: Config): SessionLimits {
  return { idleMs: people.sessionIdleMin * 60_000, maxMs: people.sessionMaxHours * 3_600_000 };
}

/** Undefined where no identity provider is set. @throws SelsynError `config.invalid` for what does not go together */
export function oidcSettings({ oidc, http }: Config): OidcSettings | undefined {
  if (oidc.issuer === '') return undefined;
  const missing = [
    ...(http.publicUrl === '' ? ['http.publicUrl'] : []),
    ...(oidc.clientId === '' ? ['oidc.clientId'] : []),
    ...(oidc.clientSecret === undefined ? ['oidc.clientSecret'] : []),
  ];
  if (missing.length > 0 || oidc.clientSecret === undefined) {
    throw new SelsynError('config.invalid', `oidc.issuer needs ${missing.join(', ')} too`);
  }
  return {
    issuer: oidc.issuer,
    clientId: oidc.clientId,
    clientSecret: oidc.clientSecret,
    label: oidc.label,
    scopes: oidc.scopes,
    claim: oidc.claim,
    rules: parseOidcRoles(oidc.roles),
    redirectUri: new URL(CALLBACK, http.publicUrl).href,
  };
}

/** The names under which a server on loopback may be called; a proxy may pass its own on. */
export function allowedHosts({ http }: Config): readonly string[] {
  return [...listOf(http.allowedHosts), ...(http.publicUrl === '' ? [] : [new URL(http.publicUrl).hostname])];
}

export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
