import type { Database } from '../database/schema.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import { DevicePrincipal } from './device-principal.ts';
import { inventScramCredential, type ScramCredential } from './scram-credential.ts';
import type { ScramAccount } from './scram-exchange.ts';

/**
 * Finds what is kept of a device's token for SCRAM.
 *
 * For a name that no device has, or whose token was given before SCRAM was, there is a made-up credential, from the name and a
 * secret of the database: the same on all threads and after a restart, so that its challenge tells nothing.
 */
export class ScramAccounts {
  readonly #database: Database;
  #challengeKey: Promise<Uint8Array> | undefined;

  constructor(dependencies: { readonly database: Database }) {
    this.#database = dependencies.database;
  }

  /** @throws SelsynError `data.corrupt`, and what the database throws */
  async accountOf(username: string): Promise<ScramAccount> {
    const invented = inventScramCredential(await this.#key(), username);
    const row = await this.#database
      .selectFrom('device_token')
      .select(['scram_salt', 'scram_iterations', 'scram_stored_key', 'scram_server_key'])
      .where('device_id', '=', username)
      .executeTakeFirst();
    const kept = row === undefined ? undefined : readCredential(row);
    if (kept === undefined || !isDeviceId(username)) return { credential: invented, grant: undefined };
    return { credential: kept, grant: new DevicePrincipal(username) };
  }

  async #key(): Promise<Uint8Array> {
    this.#challengeKey ??= this.#readKey();
    try {
      return await this.#challengeKey;
    } catch (error) {
      this.#challengeKey = undefined;
      throw error;
    }
  }

  async #readKey(): Promise<Uint8Array> {
    const row = await this.#database
      .selectFrom('server_secret')
      .select('value')
      .where('name', '=', 'scram-challenge')
      .executeTakeFirst();
    if (row === undefined) throw new SelsynError('data.corrupt', 'the database has lost its secret scram-challenge');
    return Buffer.from(row.value, 'base64url');
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
