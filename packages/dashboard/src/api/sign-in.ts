import type { ApiClient } from './client.ts';
import { asObject, text } from './json.ts';

/** How users can sign in besides by password and key. */
export interface OidcMethod {
  readonly label: string;
  /** Where the browser goes. */
  readonly url: string;
}

export async function fetchOidcMethod(client: ApiClient, signal?: AbortSignal): Promise<OidcMethod | undefined> {
  const source = asObject(await client.get('/session/methods', { key: '', signal }), 'methods');
  if (source['oidc'] === undefined) return undefined;
  const oidc = asObject(source['oidc'], 'oidc');
  return { label: text(oidc, 'label'), url: text(oidc, 'url') };
}

/** The answer sets the cookie of the new session. */
export async function signInByPassword(client: ApiClient, name: string, password: string): Promise<void> {
  await client.send('POST', '/session', { body: { name, password }, key: '' });
}

/** Ends the session of the cookie. */
export async function endSession(client: ApiClient): Promise<void> {
  await client.send('DELETE', '/session', { key: '' });
}
