import type { StateDatabase } from '../../database/schema.ts';
import type { RequestHookTable } from '../../database/tables/command-tables.ts';
import { noHook, type RequestHook } from './request-hook.ts';

/** Reads who answers which method, from any handle to the state. */
export class RequestHookStore {
  readonly #database: StateDatabase;

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** All of them, by method. */
  async list(): Promise<readonly RequestHook[]> {
    return (await this.#database.selectFrom('request_hook').selectAll().orderBy('method').execute()).map(hookOfRow);
  }

  /** @throws SelsynError `request-hook.not-found` */
  async get(method: string): Promise<RequestHook> {
    const row = await this.#database.selectFrom('request_hook').selectAll().where('method', '=', method).executeTakeFirst();
    if (row === undefined) throw noHook(method);
    return hookOfRow(row);
  }
}

function hookOfRow(row: RequestHookTable): RequestHook {
  return {
    method: row.method,
    url: row.url,
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}
