import type { Database } from '../database/schema.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { DataKeys } from './data-keys.ts';
import type { SealContext } from './sealed-value.ts';

export type ServerSecretName = 'scram-challenge' | 'api-seal';

/** Random values of the server itself, drawn by the migrations and sealed at the first start after. */
export class ServerSecrets {
  readonly #database: Database;
  readonly #keys: DataKeys;

  constructor(dependencies: { readonly database: Database; readonly keys: DataKeys }) {
    this.#database = dependencies.database;
    this.#keys = dependencies.keys;
  }

  /** Seals what is not sealed yet. */
  async sealAll(): Promise<void> {
    const rows = await this.#database.selectFrom('server_secret').selectAll().where('sealed', 'is', null).execute();
    for (const { name, value } of rows) {
      const { sealed } = this.#keys.seal(Buffer.from(value, 'utf8'), contextOf(name));
      await this.#database
        .updateTable('server_secret')
        .set({ sealed, value: '' })
        .where('name', '=', name)
        .where('sealed', 'is', null)
        .execute();
    }
  }

  /** @throws SelsynError `data.corrupt` when it is not there, `secrets.unreadable` */
  async read(name: ServerSecretName): Promise<string> {
    const row = await this.#database.selectFrom('server_secret').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw new SelsynError('data.corrupt', `the database has lost its secret ${name}`);
    return row.sealed === null ? row.value : this.#keys.open(row.sealed, contextOf(name)).toString('utf8');
  }
}

export function contextOf(name: string): SealContext {
  return { purpose: 'server-secret', owner: 'selsyn', name };
}
