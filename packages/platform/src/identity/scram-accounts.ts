import type { Database } from '../database/schema.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import { inventScramCredential, type ScramCredential } from './scram-credential.ts';
import type { ScramAccount } from './scram-exchange.ts';

/**
 * Finds what is kept of a device's token for SCRAM.
 *
 * For a name that no device has, or whose token was given before SCRAM was, there is a made-up credential, from the name and a
 * secret of the server: the same on all threads and after a restart, so that its challenge tells nothing.
 */
export class ScramAccounts {
  readonly #database: Database;
  readonly #scramKey: Uint8Array;

  constructor(dependencies: { readonly database: Database; readonly scramKey: Uint8Array }) {
    this.#database = dependencies.database;
    this.#scramKey = dependencies.scramKey;
  }

  async accountOf(username: string): Promise<ScramAccount> {
    const invented = inventScramCredential(this.#scramKey, username);
    const row = await this.#database
      .selectFrom('device_token')
      .select(['scram_salt', 'scram_iterations', 'scram_stored_key', 'scram_server_key'])
      .where('device_id', '=', username)
      .executeTakeFirst();
    const kept = row === undefined ? undefined : readCredential(row);
    if (kept === undefined || !isDeviceId(username)) return { credential: invented, device: undefined };
    return { credential: kept, device: username };
  }
}

function readCredential(row: {
  readonly scram_salt: string | null;
  readonly scram_iterations: number | null;
  readonly scram_stored_key: string | null;
  readonly scram_server_key: string | null;
}): ScramCredential | undefined {
  const { scram_salt: salt, scram_iterations: iterations, scram_stored_key: storedKey, scram_server_key: serverKey } = row;
  if (salt === null || iterations === null || storedKey === null || serverKey === null) return undefined;
  return {
    salt: Buffer.from(salt, 'base64url'),
    iterations,
    storedKey: Buffer.from(storedKey, 'base64url'),
    serverKey: Buffer.from(serverKey, 'base64url'),
  };
}
