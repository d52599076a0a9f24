import type { ApiKeys } from './api-keys.ts';
import type { Caller } from './caller.ts';
import { SESSION_START, type Sessions } from './sessions.ts';

/** Finds out who sends a request, by a key or by a session. */
export class Identities {
  readonly #apiKeys: Pick<ApiKeys, 'authenticate'>;
  readonly #sessions: Pick<Sessions, 'authenticate'>;

  constructor(dependencies: {
    readonly apiKeys: Pick<ApiKeys, 'authenticate'>;
    readonly sessions: Pick<Sessions, 'authenticate'>;
  }) {
    this.#apiKeys = dependencies.apiKeys;
    this.#sessions = dependencies.sessions;
  }

  /**
   * @param credential an API key, or the token of a session.
   * @param purpose `renewal` only asks whether it still holds: that is no use of it.
   * @returns undefined when nobody has it, or not any more.
   */
  async find(credential: string, remoteAddress?: string, purpose: 'use' | 'renewal' = 'use'): Promise<Caller | undefined> {
    return credential.startsWith(SESSION_START)
      ? await this.#sessions.authenticate(credential, remoteAddress, purpose)
      : await this.#apiKeys.authenticate(credential, remoteAddress, purpose);
  }
}
