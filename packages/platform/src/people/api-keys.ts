import type { Database, Schema } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { hashSecret, newSecret, sameHash, type RandomBytes } from './secret.ts';

/** `admin` may do everything, `read` may change nothing. */
export type ApiAccess = 'admin' | 'read';

/** Who a key speaks for. */
export interface ApiKeyHolder {
  readonly name: string;
  readonly access: ApiAccess;
}

export interface ApiKey extends ApiKeyHolder {
  readonly id: string;
  readonly createdAtMs: number;
}

export const MAX_API_KEYS = 1000;
const MAX_KEY_LENGTH = 512;
const ID_BYTES = 9;

/**
 * The keys of the HTTP API: the administrator's, which comes from the configuration, and any number of further ones
 * (up to 1,000) in the database.
 */
export class ApiKeys {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #adminHash: string;

  constructor(dependencies: {
    readonly database: Database;
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly adminKey: string;
  }) {
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#adminHash = hashSecret(dependencies.adminKey);
  }

  /**
   * Who shows this key, or undefined when nobody has it.
   *
   * Keys are found by their hash: what the time of the look-up tells is about SHA-256, not about any key.
   */
  async authenticate(key: string): Promise<ApiKeyHolder | undefined> {
    if (key.length === 0 || key.length > MAX_KEY_LENGTH) return undefined;
    const hash = hashSecret(key);
    if (sameHash(hash, this.#adminHash)) return { name: 'admin', access: 'admin' };
    const row = await this.#database.selectFrom('api_key').selectAll().where('key_hash', '=', hash).executeTakeFirst();
    return row === undefined ? undefined : { name: row.name, access: accessOf(row) };
  }

  /** The key itself is in the answer this once. @throws SelsynError `request.too-large` beyond 1,000 keys. */
  async create(draft: ApiKeyHolder): Promise<ApiKey & { readonly key: string }> {
    const key = newSecret(this.#random);
    const id = Buffer.from(this.#random(ID_BYTES)).toString('base64url');
    const createdAtMs = this.#clock.now();
    await this.#database.transaction().execute(async (transaction) => {
      const { count } = await transaction
        .selectFrom('api_key')
        .select((builder) => builder.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_API_KEYS) {
        throw new SelsynError('request.too-large', `there are ${MAX_API_KEYS} API keys already: remove some first`);
      }
      await transaction
        .insertInto('api_key')
        .values({ id, name: draft.name, access: draft.access, key_hash: hashSecret(key), created_at_ms: createdAtMs })
        .execute();
    });
    return { id, name: draft.name, access: draft.access, createdAtMs, key };
  }

  /** Oldest first, without the administrator's. */
  async list(): Promise<readonly ApiKey[]> {
    const rows = await this.#database.selectFrom('api_key').selectAll().orderBy('created_at_ms').orderBy('id').execute();
    return rows.map((row) => ({ id: row.id, name: row.name, access: accessOf(row), createdAtMs: Number(row.created_at_ms) }));
  }

  /** @throws SelsynError `api-key.not-found` */
  async remove(id: string): Promise<void> {
    const deleted = await this.#database.deleteFrom('api_key').where('id', '=', id).executeTakeFirst();
    if (deleted.numDeletedRows === 0n)
      throw new SelsynError('api-key.not-found', `there is no API key ${id}`, { details: { id } });
  }
}

/** Anything that is not known to be `admin` may only read. */
function accessOf(row: Pick<Schema['api_key'], 'access'>): ApiAccess {
  return row.access === 'admin' ? 'admin' : 'read';
}
