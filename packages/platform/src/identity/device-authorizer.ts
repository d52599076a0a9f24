import { sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import type { AccessExchange, AccessGranted, AccessRefused, AccessRequest } from './access-decision.ts';
import { DevicePrincipal } from './device-principal.ts';
import { ScramAccounts } from './scram-accounts.ts';
import { SCRAM_SHA_256, ScramExchange } from './scram-exchange.ts';
import { hashSecret, NO_HASH, sameHash, type RandomBytes } from './secret.ts';
import { nameOfUsername } from './username.ts';

/** A token has 43 bytes; a longer password is not hashed to its end. */
const MAX_PASSWORD_BYTES = 1024;
const NOTHING = new Uint8Array();
/** A multiple of 3, so that its base64 text has no padding. */
const SERVER_NONCE_BYTES = 18;

/**
 * Lets in devices that show their token (username = device id, password = token), or prove by SCRAM-SHA-256 that they have it.
 *
 * Each CONNECT is one look-up by primary key in the database as last committed, so a revoked or rotated token is refused
 * from the next CONNECT on and there is no cache that could be stale. Every refusal is the same and has done the same
 * work, whether the device is unknown, has no token, or another one: nobody learns from it which ids exist.
 */
export class DeviceAuthorizer {
  readonly #database: Database;
  readonly #scram: ScramAccounts;
  readonly #random: RandomBytes;

  /** @param dependencies.database may be a read-only connection of this thread. */
  constructor(dependencies: { readonly database: Database; readonly random: RandomBytes }) {
    this.#database = dependencies.database;
    this.#random = dependencies.random;
    this.#scram = new ScramAccounts(dependencies);
  }

  /** A database that cannot be read is a refusal that the client may retry, never an open door. */
  async authenticate(request: Pick<AccessRequest, 'username' | 'password'>): Promise<AccessGranted | AccessRefused> {
    const username = nameOfUsername(request.username);
    const password = request.password ?? NOTHING;
    const shownHash = hashSecret(password.length > MAX_PASSWORD_BYTES ? NOTHING : password);
    let keptHash: string;
    try {
      keptHash = await this.#tokenHash(username);
    } catch (error) {
      return { refused: 'server-busy', reason: `the registry could not be read: ${String(error)}` };
    }
    if (sameHash(shownHash, keptHash) && keptHash !== NO_HASH && isDeviceId(username)) return new DevicePrincipal(username);
    return { refused: 'bad-credentials', reason: 'the device is not known or its token is another' };
  }

  /**
   * Begins an exchange, which knows the device by the name inside it: a username and a password beside it count for nothing.
   * Undefined for every method but SCRAM-SHA-256.
   */
  beginExchange(method: string): AccessExchange | undefined {
    if (method !== SCRAM_SHA_256) return undefined;
    return new ScramExchange({
      accountOf: async (username) => await this.#scram.accountOf(username),
      serverNonce: Buffer.from(this.#random(SERVER_NONCE_BYTES)).toString('base64'),
    });
  }

  /** One row of one text in any case: that of a device that is not known comes no sooner. */
  async #tokenHash(device: string): Promise<string> {
    const row = await this.#database
      .selectNoFrom((builder) =>
        builder.fn
          .coalesce(builder.selectFrom('device_token').select('token_hash').where('device_id', '=', device), sql.lit(NO_HASH))
          .as('token_hash'),
      )
      .executeTakeFirstOrThrow();
    return row.token_hash;
  }
}
