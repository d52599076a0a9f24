import type { ApiClient } from '../api/client.ts';
import { fetchWho } from '../api/who.ts';
import type { Session } from './session.ts';

/** Asks the server whether the browser holds the cookie of a session. Without an answer there is the form of sign-in, which says why. */
export async function askForSession(client: ApiClient, session: Session): Promise<void> {
  try {
    await fetchWho(client, '');
    if (session.state().kind === 'asking') session.signInByCookie();
  } catch {
    if (session.state().kind === 'asking') session.signOut('none');
  }
}
