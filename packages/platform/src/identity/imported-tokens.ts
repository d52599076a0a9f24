import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { hashSecret } from '../kernel/secret.ts';

const ROWS_PER_STATEMENT = 200;

/**
 * Keeps tokens that devices have already, as an import brings them.
 *
 * What SCRAM needs is not kept: it takes some ms of computing a token, for a million devices an hour. Such a device signs in
 * with its token as password, and has SCRAM once it is given a new token.
 */
export class ImportedTokens {
  readonly #clock: Clock;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  /** @returns those whose token is another one than before; a token that is the same stays as it is. */
  async keep(transaction: Database, tokens: ReadonlyMap<DeviceId, string>): Promise<readonly DeviceId[]> {
    const nowMs = this.#clock.now();
    const wanted = [...tokens].map(([id, token]) => ({ device_id: id, token_hash: hashSecret(token) }));
    const changed: DeviceId[] = [];
    for (let start = 0; start < wanted.length; start += ROWS_PER_STATEMENT) {
      const some = wanted.slice(start, start + ROWS_PER_STATEMENT);
      const ids = some.map(({ device_id: id }) => id);
      const rows = await transaction
        .selectFrom('device_token')
        .select(['device_id', 'token_hash'])
        .where('device_id', 'in', ids)
        .execute();
      const known = new Map(rows.map((row) => [row.device_id, row.token_hash]));
      const others = some.filter(({ device_id: id, token_hash: hash }) => known.get(id) !== hash);
      if (others.length === 0) continue;
      await transaction
        .insertInto('device_token')
        .values(
          others.map((row) => ({
            ...row,
            created_at_ms: nowMs,
            scram_salt: null,
            scram_iterations: null,
            scram_stored_key: null,
            scram_server_key: null,
          })),
        )
        .onConflict((conflict) =>
          conflict.column('device_id').doUpdateSet((builder) => ({
            token_hash: builder.ref('excluded.token_hash'),
            created_at_ms: builder.ref('excluded.created_at_ms'),
            scram_salt: null,
            scram_iterations: null,
            scram_stored_key: null,
            scram_server_key: null,
          })),
        )
        .execute();
      changed.push(...others.map(({ device_id: id }) => id));
    }
    return changed;
  }
}
