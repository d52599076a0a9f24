import { sql } from 'kysely';
import type { Database } from '../database/schema.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import type { AccessGranted, AccessRefused, AccessRequest } from './access-decision.ts';
import { DevicePrincipal } from './device-principal.ts';
import { hashSecret, NO_HASH, sameHash } from './secret.ts';

/** A token has 43 bytes; a longer password is not hashed to its end. */
const MAX_PASSWORD_BYTES = 1024;
const NOTHING = new Uint8Array();

/**
 * Lets in devices that show their token: username = device id, password = token.
 *
 * Each CONNECT is one look-up by primary key in the database as last committed, so a revoked or rotated token is refused
 * from the next CONNECT on and there is no cache that could be stale. Every refusal is the same and has done the same
 * work, whether the device is unknown, has no token, or another one: nobody learns from it which ids exist.
 */
export class DeviceAuthorizer {
  readonly #database: Database;

  /** @param dependencies.database may be a read-only connection of this thread. */
  constructor(dependencies: { readonly database: Database }) {
    this.#database = dependencies.database;
  }

  /** A database that cannot be read is a refusal that the client may retry, never an open door. */
  async authenticate(request: AccessRequest): Promise<AccessGranted | AccessRefused> {
    const username = request.username ?? '';
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
